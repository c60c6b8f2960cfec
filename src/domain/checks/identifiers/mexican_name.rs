//! The letters that Mexican numbers take from a name (annex 1 of RENAPO's Instructivo Normativo; the SAT's RFC rules
//! follow the same pattern).

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
    surname_initial: char,
    surname_vowel: char,
    given_initials: Vec<char>,
}

impl NameLetters {
    /// Takes the letters from a person's names; none where a name has no Latin letters.
    ///
    /// Only the first surname and the given name count: whether the last name holds a second surname, and where it
    /// begins, cannot be told.
    #[must_use]
    pub fn of(given_names: &str, surnames: &str) -> Option<Self> {
        let surname = words(surnames).into_iter().next()?;
        let given = words(given_names);
        let first = given.first()?;
        let mut given_initials = vec![first.first().copied()?];
        let written: String = first.iter().collect();
        if COMMON_GIVEN_NAMES.contains(&written.as_str()) {
            given_initials.extend(given.get(1).and_then(|word| word.first()));
        }
        let surname_vowel = surname[1..].iter().copied().find(|c| is_vowel(*c)).unwrap_or('X');
        Some(Self { surname_initial: *surname.first()?, surname_vowel, given_initials })
    }

    /// Whether a CURP's letters may come from the name. The second is an X wherever the four would make a rude word.
    #[must_use]
    pub fn fit_curp(&self, letters: [char; 4]) -> bool {
        letters[0] == self.surname_initial
            && (letters[1] == self.surname_vowel || letters[1] == 'X')
            && self.given_initials.contains(&letters[3])
    }

    /// Whether a person's RFC may come from the name. Short and single surnames move the given name's initial to the
    /// third place; the last letter is an X wherever the four would make a rude word.
    #[must_use]
    pub fn fit_rfc(&self, letters: &[char]) -> bool {
        let letters: Vec<char> = letters.iter().map(|c| if *c == 'Ñ' { 'X' } else { *c }).collect();
        let given = letters.get(2..4).unwrap_or_default();
        letters.first() == Some(&self.surname_initial)
            && (given.iter().any(|c| self.given_initials.contains(c)) || given.last() == Some(&'X'))
    }
}

const fn is_vowel(c: char) -> bool {
    matches!(c, 'A' | 'E' | 'I' | 'O' | 'U')
}

/// The words of a name that count, as letters of the Latin alphabet in upper case; where only particles are left, those.
fn words(name: &str) -> Vec<Vec<char>> {
    let all: Vec<Vec<char>> = name
        .split(|c: char| c.is_whitespace() || matches!(c, '-' | '.' | '/'))
        .map(|word| word.chars().flat_map(char::to_uppercase).filter_map(plain).collect::<Vec<char>>())
        .filter(|word| !word.is_empty())
        .collect();
    let counts = |word: &&Vec<char>| !PARTICLES.contains(&word.iter().collect::<String>().as_str());
    let counted: Vec<Vec<char>> = all.iter().filter(counts).cloned().collect();
    if counted.is_empty() { all } else { counted }
}

/// A letter without its accent; Ñ becomes X, as in every CURP.
const fn plain(c: char) -> Option<char> {
    Some(match c {
        'A'..='Z' => c,
        'À'..='Å' => 'A',
        'Ç' => 'C',
        'È'..='Ë' => 'E',
        'Ì'..='Ï' => 'I',
        'Ñ' => 'X',
        'Ò'..='Ö' | 'Ø' => 'O',
        'Ù'..='Ü' => 'U',
        'Ý' => 'Y',
        _ => return None,
    })
}
