//! The letters that Mexican numbers take from a name (annex 1 of RENAPO's Instructivo Normativo; the SAT's RFC rules
//! follow the same pattern).

use crate::domain::writing::{Letter, words};

/// Words of a surname or given name that are passed over.
const PARTICLES: [&str; 21] = [
    "DA", "DAS", "DE", "DEL", "DER", "DI", "DIE", "DD", "EL", "LA", "LOS", "LAS", "LE", "LES", "MAC", "MC", "VAN",
    "VON", "Y", "DOS", "DO",
];

/// Given names that are passed over where another follows, with their abbreviations.
const COMMON_GIVEN_NAMES: [&str; 5] = ["JOSE", "J", "MARIA", "MA", "M"];

/// The letters of a name that a number must repeat.
#[derive(Clone, PartialEq, Eq)]
pub struct NameLetters {
    /// The initial and the first inner vowel of the words that may be the first surname.
    surnames: Vec<(Letter, Option<Letter>)>,
    given_initials: Vec<Letter>,
}

impl NameLetters {
    /// Takes the letters from a person's names; none where a name has no Latin letters.
    ///
    /// Only the first surname and the given name count: whether the last name holds a second surname, and where it
    /// begins, is ambiguous. Registrars do not pass over every particle, so that both readings count.
    #[must_use]
    pub fn of(given_names: &str, surnames: &str) -> Option<Self> {
        let surnames: Vec<_> = counted(words(surnames)).iter().filter_map(|word| initial_and_vowel(word)).collect();
        let given = words(given_names);
        let (main, all) = (main_words(&given), given.first());
        let mut given_initials: Vec<Letter> =
            all.into_iter().chain(main.first().copied()).filter_map(|word| first(word)).collect();
        if main.first().is_some_and(|word| COMMON_GIVEN_NAMES.contains(&written(word).as_str())) {
            given_initials.extend(main.get(1).and_then(|word| first(word)));
        }
        (!surnames.is_empty() && !given_initials.is_empty()).then_some(Self { surnames, given_initials })
    }

    /// Whether a CURP's letters may come from the name. The second is an X wherever the four would make a rude word.
    #[must_use]
    pub fn fit_curp(&self, letters: [char; 4]) -> bool {
        let fits = |(initial, vowel): &(Letter, Option<Letter>)| {
            stands_for(letters[0], *initial)
                && (letters[1] == 'X' || vowel.is_some_and(|vowel| stands_for(letters[1], vowel)))
        };
        self.surnames.iter().any(fits) && self.is_given_initial(letters[3])
    }

    /// Whether a person's RFC may come from the name. Short and single surnames move the given name's initial to the
    /// third place; the last letter is an X wherever the four would make a rude word.
    #[must_use]
    pub fn fit_rfc(&self, letters: &[char]) -> bool {
        let given = letters.get(2..4).unwrap_or_default();
        let initial = letters.first().copied().unwrap_or_default();
        self.surnames.iter().any(|(letter, _)| stands_for(initial, *letter))
            && (given.iter().any(|c| self.is_given_initial(*c)) || given.last() == Some(&'X'))
    }

    fn is_given_initial(&self, letter: char) -> bool {
        self.given_initials.iter().any(|initial| stands_for(letter, *initial))
    }
}

/// Whether a registrar writes a letter of a name so: registers write X for Ñ and for letters that they do not have.
fn stands_for(written: char, letter: Letter) -> bool {
    written == letter.base || (letter.special && matches!(written, 'X' | 'Ñ'))
}

fn first(word: &[Letter]) -> Option<Letter> {
    word.first().copied()
}

fn initial_and_vowel(word: &[Letter]) -> Option<(Letter, Option<Letter>)> {
    let (initial, rest) = word.split_first()?;
    Some((*initial, rest.iter().copied().find(|letter| matches!(letter.base, 'A' | 'E' | 'I' | 'O' | 'U'))))
}

fn written(word: &[Letter]) -> String {
    word.iter().map(|letter| letter.base).collect()
}

/// The words that are no particles; where only particles are left, those.
fn main_words(words: &[Vec<Letter>]) -> Vec<&Vec<Letter>> {
    let main: Vec<_> = words.iter().filter(|word| !PARTICLES.contains(&written(word).as_str())).collect();
    if main.is_empty() { words.iter().collect() } else { main }
}

/// The first word, and the first that is no particle.
fn counted(words: Vec<Vec<Letter>>) -> Vec<Vec<Letter>> {
    let main = main_words(&words).first().map(|word| (*word).clone());
    words.into_iter().take(1).chain(main).collect()
}
