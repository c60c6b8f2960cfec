//! A name as the matcher sees it: tokens in ASCII with a class and a weight.
//!
//! [`Name::parse`] removes what cannot be seen, undoes look-alike letters, transliterates, splits into tokens and gives
//! each token its class ([`Class`]) and weight.

mod script;
pub(crate) mod similarity;
mod token;
mod variants;
mod words;

pub use self::similarity::Change;
pub(crate) use self::similarity::{LONG_SKELETON, SHORTEST_MISSPELT, similarity_from};
pub use self::token::{Class, Token};
pub(crate) use self::token::{MAX_TOKEN, simple, skeleton, weight};
pub(crate) use self::variants::group;

use self::script::Scripted;

/// More tokens of one name are not compared.
pub const MAX_TOKENS: usize = 24;

/// How much of a name is read, in characters.
pub const MAX_CHARS: usize = 1_000;

/// What kind of party a name is of; it decides which words are company forms or titles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A natural person.
    Person,
    /// A company, an authority, a group.
    Organisation,
    /// A ship.
    Vessel,
    /// An aircraft.
    Aircraft,
    /// The source does not say.
    #[default]
    Unknown,
}

/// A name, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// In the order of the text; what follows the comma of a person's name comes first.
    pub tokens: Vec<Token>,
    /// The token that may have lost its end: the text is as long as the narrowest name fields are wide.
    pub cut: Option<usize>,
    /// Written without short vowels, or in syllables of another language: vowels count less.
    pub lax: bool,
    /// The letters in their own script, if they are Chinese, Japanese or Korean: one letter is one syllable there.
    pub native: Option<Box<str>>,
    /// Equal for texts that differ in nothing but case and blanks.
    pub(crate) as_written: u64,
}

/// The narrowest name field of old systems has 20 characters, trailing spaces removed.
const NARROWEST_FIELD: usize = 18;

impl Name {
    /// Takes a name apart. Any text is accepted; a text without letters or digits has no tokens.
    #[must_use]
    pub fn parse(text: &str, kind: Kind) -> Self {
        let scripted = Scripted::read(text);
        let mut tokens = token::tokens(&scripted.latin, kind);
        let last = tokens.len().saturating_sub(1);
        let family = family_first(&scripted.latin, kind).filter(|family| *family <= last).unwrap_or(0);
        tokens.rotate_left(family);
        let may_be_cut = text.chars().count() >= NARROWEST_FIELD && last > 0;
        Self {
            cut: may_be_cut.then_some(last - family),
            as_written: as_written(text),
            lax: scripted.lax,
            native: scripted.native.map(String::into_boxed_str),
            tokens,
        }
    }

    /// The sum of the weights of the tokens.
    #[must_use]
    pub fn weight(&self) -> f32 {
        self.tokens.iter().map(|token| token.weight).sum()
    }
}

/// How many tokens of a person's name stand before its one comma.
fn family_first(latin: &str, kind: Kind) -> Option<usize> {
    let (family, rest) = latin.split_once(',')?;
    let given =
        kind == Kind::Person && !rest.contains(',') && rest.contains(|letter: char| letter.is_ascii_alphabetic());
    given.then(|| token::tokens(family, kind).len())
}

pub(crate) fn as_written(text: &str) -> u64 {
    let mut hasher = Fnv::default();
    let letters = text.split_whitespace().flat_map(|word| word.chars().chain([' ']));
    letters.flat_map(char::to_lowercase).for_each(|letter| hasher.add(&u32::from(letter).to_le_bytes()));
    hasher.0
}

/// FNV-1a: the same on every machine.
pub(crate) struct Fnv(pub(crate) u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    }
}

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.add(bytes);
    }
}

/// For tables whose keys are this program's own words.
type Hashing = std::hash::BuildHasherDefault<Fnv>;

#[cfg(test)]
mod tests;
