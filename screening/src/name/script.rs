//! From any script to ASCII.

use any_ascii::any_ascii_char;
use unicode_normalization::UnicodeNormalization as _;

use super::MAX_CHARS;

/// A text in ASCII, and what was learnt on the way.
pub(super) struct Scripted {
    pub(super) latin: String,
    pub(super) lax: bool,
    pub(super) native: Option<String>,
}

impl Scripted {
    pub(super) fn read(text: &str) -> Self {
        if text.is_ascii() {
            return Self { latin: text.chars().take(MAX_CHARS).collect(), lax: false, native: None };
        }
        let visible: Vec<char> = text.nfkc().filter(|letter| !is_invisible(*letter)).take(MAX_CHARS).collect();
        let letters = without_look_alikes(visible);
        let native: String = letters.iter().copied().filter(|letter| is_syllabic(*letter)).collect();
        let lax = letters.iter().any(|letter| is_abjad(*letter) || is_syllabic(*letter));
        Self { latin: transliterate(&letters), lax, native: (!native.is_empty()).then_some(native) }
    }
}

/// Characters that take no place when rendered, and marks of Hebrew and Arabic vowels.
const fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{591}'..='\u{5c7}'
        | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{e0000}'..='\u{e007f}')
}

const fn is_abjad(letter: char) -> bool {
    matches!(letter, '\u{5d0}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}

/// Chinese, Japanese, Korean.
const fn is_syllabic(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{20000}'..='\u{3ffff}')
}

const fn is_cyrillic_or_greek(letter: char) -> bool {
    matches!(letter, '\u{370}'..='\u{52f}')
}

/// Latin letters in the place of Cyrillic and Greek ones that look the same, if the text mixes the scripts.
fn without_look_alikes(letters: Vec<char>) -> Vec<char> {
    let latin = letters.iter().any(char::is_ascii_alphabetic);
    let foreign = letters.iter().any(|letter| is_cyrillic_or_greek(*letter));
    if !(latin && foreign && every_foreign_word_is_suspect(&letters)) {
        return letters;
    }
    letters.into_iter().map(|letter| look_alike(letter).unwrap_or(letter)).collect()
}

/// A word of another script next to Latin ones is honest if it has a letter that looks like none of ours.
fn every_foreign_word_is_suspect(letters: &[char]) -> bool {
    letters.split(|letter| !letter.is_alphabetic()).any(|word| {
        let foreign = word.iter().any(|letter| is_cyrillic_or_greek(*letter));
        foreign && word.iter().all(|letter| !is_cyrillic_or_greek(*letter) || look_alike(*letter).is_some())
    })
}

const FOREIGN: &str = "асеорхуіѕјһԁԛԝкмтнвАВСЕНІЈКМОРЅТХУԚԜҮαοινρυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ";
const LATIN: &str = "aceopxyisjhdqwkmthbABCEHIJKMOPSTXYQWYaoivpuABEZHIKMNOPTYX";

fn look_alike(letter: char) -> Option<char> {
    FOREIGN.chars().zip(LATIN.chars()).find(|(foreign, _)| *foreign == letter).map(|(_, latin)| latin)
}

fn transliterate(letters: &[char]) -> String {
    let mut latin = String::with_capacity(letters.len() + 8);
    let foreign_name = letters.iter().any(|letter| matches!(letter, '·' | '・' | '‧' | '•'));
    let mut run = 0;
    for (at, letter) in letters.iter().copied().enumerate() {
        run = if is_syllabic(letter) { run + 1 } else { 0 };
        // A Chinese or Korean family name is the first syllable; the given name is written together.
        if run == 2 && !foreign_name && run_length(&letters[at - 1..]) <= 4 {
            latin.push(' ');
        }
        if starts_with_article(letters, at) {
            latin.push_str("al ");
        } else if !follows_article(letters, at) {
            push(&mut latin, letter, at == 0 || !letters[at - 1].is_alphabetic());
        }
    }
    latin
}

fn run_length(letters: &[char]) -> usize {
    letters.iter().take_while(|letter| is_syllabic(**letter)).count()
}

/// The Arabic article at the start of a word of at least three more letters.
fn starts_with_article(letters: &[char], at: usize) -> bool {
    letters[at] == 'ا'
        && letters.get(at + 1) == Some(&'ل')
        && (at == 0 || !letters[at - 1].is_alphabetic())
        && letters[at..].iter().take(5).filter(|letter| is_abjad(**letter)).count() == 5
}

fn follows_article(letters: &[char], at: usize) -> bool {
    at > 0 && letters[at] == 'ل' && starts_with_article(letters, at - 1)
}

fn push(latin: &mut String, letter: char, starts_word: bool) {
    match own_rule(letter, starts_word) {
        Some(text) => latin.push_str(text),
        None if letter.is_ascii() => latin.push(letter),
        None if letter.is_whitespace() => latin.push(' '),
        None if is_syllabic(letter) => latin.push_str(&any_ascii_char(letter).to_lowercase()),
        None if letter.is_alphanumeric() || is_mark(letter) => latin.push_str(any_ascii_char(letter)),
        None if is_apostrophe(letter) => latin.push('\''),
        None => latin.push(' '),
    }
}

/// Vowel signs of Indian and Asian scripts.
fn is_mark(letter: char) -> bool {
    unicode_normalization::char::is_combining_mark(letter)
}

const fn is_apostrophe(letter: char) -> bool {
    matches!(letter, '’' | '‘' | 'ʼ' | 'ʻ' | 'ʹ' | 'ʿ' | 'ʾ' | '`' | '´' | '′')
}

/// Where the general table is made for reading and not for names.
fn own_rule(letter: char, starts_word: bool) -> Option<&'static str> {
    Some(match letter {
        'ь' | 'ъ' | 'Ь' | 'Ъ' | 'ء' | 'ʼ' | 'ʿ' | 'ʾ' | 'ʹ' => "",
        'ا' | 'أ' | 'آ' | 'ع' | 'ة' | 'ى' => "a",
        'إ' | 'ئ' | 'ی' | 'ي' | 'ے' if !starts_word => "i",
        'إ' => "i",
        'ی' | 'ي' => "y",
        'و' | 'ؤ' => {
            if starts_word {
                "w"
            } else {
                "u"
            }
        }
        'خ' => "kh",
        'غ' => "gh",
        'ش' => "sh",
        'ث' => "th",
        'ذ' => "dh",
        'ح' | 'ه' | 'ہ' | 'ھ' => "h",
        'ق' => "q",
        'ج' => "j",
        'چ' => "ch",
        'ژ' => "zh",
        'х' => "kh",
        'Х' => "Kh",
        _ => return None,
    })
}
