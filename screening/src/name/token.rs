//! Tokens: splitting, classes, weights, and the keys under which similar tokens meet.

use super::words::{self, Lexicon};
use super::{Kind, MAX_TOKENS};

/// More letters of one token are not compared.
pub(crate) const MAX_TOKEN: usize = 32;

/// What a token is worth as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A name.
    Word,
    /// One letter.
    Initial,
    /// `al`, `bin`, `van`, `of`.
    Particle,
    /// `Dr`, `Sheikh`, `Jr`.
    Title,
    /// `Ltd`, `GmbH`, `OOO`.
    Form,
    /// A word that many companies have in their name.
    Generic,
    /// A name after the father, as in Russian; often left out.
    Patronymic,
    /// Digits, or a Roman numeral of a company's name.
    Number,
}

/// One word of a name in lower-case ASCII.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// At most 32 letters and digits.
    pub text: Box<str>,
    /// What it is worth.
    pub class: Class,
    /// The evidence that it carries; a word of six letters has 1.
    pub weight: f32,
}

impl Token {
    pub(crate) fn new(text: &str, class: Class) -> Self {
        Self { weight: weight(text.len(), class), class, text: text.into() }
    }
}

/// The evidence of a token of this length and class.
pub(crate) fn weight(length: usize, class: Class) -> f32 {
    let by_length = 0.4 + 0.1 * length.min(8) as f32;
    match class {
        Class::Word => by_length,
        Class::Initial => 0.4,
        Class::Particle => 0.12,
        Class::Title => 0.04,
        Class::Form => 0.06,
        Class::Generic => 0.55 * by_length,
        Class::Patronymic => 0.7 * by_length,
        Class::Number => 0.35,
    }
}

/// Splits a text in ASCII into classified tokens.
pub(super) fn tokens(latin: &str, kind: Kind) -> Vec<Token> {
    let mut words = words(&latin.to_ascii_lowercase(), kind);
    if kind != Kind::Person {
        words::replace_phrases(&mut words);
    }
    let lexicon = Lexicon::of(kind);
    let mut tokens: Vec<Token> = words.iter().map(|word| Token::new(word, lexicon.class(word))).collect();
    keep_something(&mut tokens);
    tokens.truncate(MAX_TOKENS);
    tokens
}

/// A name of nothing but titles, forms or common words is a name still.
fn keep_something(tokens: &mut [Token]) {
    if tokens.iter().any(|token| matches!(token.class, Class::Word | Class::Generic | Class::Patronymic)) {
        return;
    }
    for token in tokens.iter_mut().filter(|token| token.class != Class::Initial) {
        *token = Token::new(&token.text, Class::Word);
    }
}

fn words(text: &str, kind: Kind) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for part in
        text.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | '(' | ')' | '"' | '-' | '_'))
    {
        let part = part.replace(['\'', '`'], "");
        if kind != Kind::Person && is_abbreviation(&part) {
            push(&mut words, &part.replace(['.', '/'], ""));
            continue;
        }
        for (at, piece) in part.split('&').enumerate() {
            if at > 0 && kind != Kind::Person {
                words.push("and".to_owned());
            }
            piece.split(|letter: char| !letter.is_ascii_alphanumeric()).for_each(|word| push(&mut words, word));
        }
    }
    if kind != Kind::Person {
        words::replace_numbers(&mut words);
    }
    words
}

fn push(words: &mut Vec<String>, word: &str) {
    if !word.is_empty() {
        words.push(word[..word.len().min(MAX_TOKEN)].to_owned());
    }
}

/// `p.l.c.`, `S.A.R.L`, `A/S`: letters one by one.
fn is_abbreviation(part: &str) -> bool {
    let mut pieces = part.split(['.', '/']).filter(|piece| !piece.is_empty());
    let count = pieces.clone().count();
    count > 1 && pieces.all(|piece| piece.len() == 1 && piece.as_bytes()[0].is_ascii_alphanumeric())
}

const fn is_vowel(letter: u8) -> bool {
    matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// The letter that stands for all that sound or look like it; vowels keep apart.
const fn class_of(letter: u8) -> u8 {
    match letter {
        b'b' | b'p' | b'8' => b'b',
        b'd' | b't' => b'd',
        b'g' | b'k' | b'q' | b'c' => b'k',
        b's' | b'z' | b'5' | b'2' => b's',
        b'f' | b'v' | b'w' => b'v',
        b'j' | b'y' => b'i',
        b'l' | b'1' => b'l',
        b'0' => b'o',
        other => other,
    }
}

/// A few letters on the stack: keys are made for every token that is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letters {
    letters: [u8; MAX_TOKEN],
    length: u8,
}

impl Letters {
    const EMPTY: Self = Self { letters: [0; MAX_TOKEN], length: 0 };

    /// Letters beyond the longest token are left out.
    fn push(&mut self, letter: u8) {
        if let Some(place) = self.letters.get_mut(usize::from(self.length)) {
            *place = letter;
            self.length += 1;
        }
    }
}

impl std::ops::Deref for Letters {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.letters[..usize::from(self.length)]
    }
}

/// Letter by letter, each as the one that stands for its class. One wrong letter is one wrong letter still.
pub(crate) fn simple(text: &[u8]) -> Letters {
    let mut out = Letters::EMPTY;
    text.iter().for_each(|letter| out.push(class_of(*letter)));
    out
}

/// Equal for spellings of one sound: digraphs, doubled letters, letters of one class.
pub(crate) fn folded(text: &[u8]) -> Letters {
    let mut out = Letters::EMPTY;
    let mut at = 0;
    while at < text.len() {
        let (letter, width) = digraph(&text[at..]);
        if out.last() != Some(&letter) {
            out.push(letter);
        }
        at += width;
    }
    out
}

fn digraph(text: &[u8]) -> (u8, usize) {
    match text {
        [b'p', b'h', ..] => (b'v', 2),
        [b'k' | b'g', b'h', ..] => (b'h', 2),
        [b'c', b'k', ..] => (b'k', 2),
        [b's', b'h', ..] => (b's', 2),
        [b't', b'z' | b's', ..] => (b's', 2),
        [b'r', b'n', ..] => (b'm', 2),
        [b'c', b'l', ..] => (b'd', 2),
        [letter, ..] => (class_of(*letter), 1),
        [] => (0, 1),
    }
}

/// The consonants, folded, after the first letter. Equal for names whose vowels were changed or dropped.
pub(crate) fn skeleton(text: &[u8]) -> Letters {
    let first = text.first().copied().unwrap_or(0);
    let mut bare = Letters::EMPTY;
    bare.push(if is_vowel(first) && first != b'y' { b'a' } else { first });
    let consonants = text.iter().skip(1).filter(|letter| !is_vowel(**letter) && !matches!(letter, b'j' | b'w' | b'0'));
    consonants.for_each(|letter| bare.push(*letter));
    folded(&bare)
}
