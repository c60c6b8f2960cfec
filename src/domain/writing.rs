//! What numbers and names say, without the ways in which people and programs write them.
//!
//! A number that is copied from a form, a letter or a spreadsheet brings typographic dashes, no-break spaces, invisible
//! direction marks and the digits of other keyboards along. They are no part of it. What is stored and shown is always
//! what was sent; only comparisons and checks use what is returned here.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory};

/// The letters and digits of a number, in upper case and with ASCII digits, and `&`, which Mexican numbers have.
///
/// Everything else is a way of writing: dashes, spaces, dots, slashes, invisible marks.
#[must_use]
pub fn compact(number: &str) -> Vec<char> {
    number.nfkc().filter_map(significant).flat_map(char::to_uppercase).collect()
}

fn significant(c: char) -> Option<char> {
    use Category::{DecimalNumber, LetterNumber, LowercaseLetter, OtherLetter, TitlecaseLetter, UppercaseLetter};
    match c.general_category() {
        DecimalNumber => char::from_digit(decimal_value(c), 10),
        // Modifier letters are left out: the long-vowel mark is what a Japanese keyboard types for a dash.
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | OtherLetter | LetterNumber => Some(c),
        _ => (c == '&').then_some(c),
    }
}

/// The value of a decimal digit of any script: Unicode encodes each script's ten in a row, in ascending order.
fn decimal_value(digit: char) -> u32 {
    let is_digit = |code: u32| char::from_u32(code).is_some_and(|c| c.general_category() == Category::DecimalNumber);
    let code = u32::from(digit);
    let before = (1..).take_while(|distance| is_digit(code - distance)).count();
    // A row is ten long, so that the remainder is below ten.
    before as u32 % 10
}

/// Whether a character is written as a dash, of whatever length.
#[must_use]
pub fn is_dash(c: char) -> bool {
    // Minus, the soft hyphen, the hyphen bullet and the long-vowel marks are dashes in use, not by category.
    c.general_category() == Category::DashPunctuation || matches!(c, '−' | '\u{AD}' | '\u{2043}' | 'ー' | 'ｰ')
}

/// A letter of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The letter of the Latin alphabet at its base, in upper case.
    pub base: char,
    /// Whether it is more than its base: Ñ, Ł, the E of Æ. Accents and diaereses do not count: registers drop them.
    pub special: bool,
}

/// The words of a name of any script, as people look for them: without accents, in lower case, digits kept. Apostrophes and
/// invisible marks are no part of a word; everything else that is neither letter nor digit separates words.
#[must_use]
pub fn search_words(name: &str) -> Vec<String> {
    let composed: String = name.nfkc().collect();
    let is_silent = |c: char| {
        use Category::{EnclosingMark, Format, NonspacingMark, SpacingMark};
        let is_mark = matches!(c.general_category(), EnclosingMark | Format | NonspacingMark | SpacingMark);
        // Soft hyphens are marks by category and dashes in use.
        (is_mark && !is_dash(c)) || matches!(c, '\'' | '’' | '‘' | 'ʼ' | '`' | '´')
    };
    let words = composed.split(|c: char| !is_silent(c) && !c.is_alphanumeric());
    let folded =
        |word: &str| word.chars().filter(|c| !is_silent(*c)).flat_map(char::to_uppercase).flat_map(fold).collect();
    words.map(folded).filter(|word: &String| !word.is_empty()).collect()
}

/// An upper-case letter at its base, in lower case.
fn fold(c: char) -> Vec<char> {
    let latin: Vec<char> = letters(c).map(|letter| letter.base.to_ascii_lowercase()).collect();
    if !latin.is_empty() {
        return latin;
    }
    let is_mark = |c: &char| c.general_category() == Category::NonspacingMark;
    std::iter::once(c).nfd().filter(|c| !is_mark(c)).flat_map(char::to_lowercase).collect()
}

/// The words of a name in letters of the Latin alphabet; letters of other scripts, apostrophes and invisible marks are
/// left out, and words without a letter.
#[must_use]
pub fn words(name: &str) -> Vec<Vec<Letter>> {
    // The tilde of Ñ makes it another letter, however many characters it is written with.
    let composed: String = name.nfkc().collect();
    composed
        .split(|c: char| c.is_whitespace() || is_dash(c) || matches!(c, '.' | '/' | ',' | ';' | '_' | '·'))
        .map(|word| word.chars().flat_map(char::to_uppercase).flat_map(letters).collect::<Vec<_>>())
        .filter(|word| !word.is_empty())
        .collect()
}

/// What an upper-case letter is written as in a register of the Latin alphabet.
fn letters(c: char) -> impl Iterator<Item = Letter> {
    let (text, special) = match c {
        'Ñ' => ("N", true),
        'Æ' => ("AE", true),
        'Œ' => ("OE", true),
        'Ø' => ("O", true),
        'Ł' => ("L", true),
        'Đ' | 'Ð' => ("D", true),
        'Þ' => ("TH", true),
        'Ħ' => ("H", true),
        'Ŧ' => ("T", true),
        'Ŋ' => ("NG", true),
        'ẞ' => ("SS", true),
        'Ə' => ("E", true),
        _ => ("", false),
    };
    let listed = text.chars().map(move |base| Letter { base, special });
    let decomposed = std::iter::once(c).nfd().filter(char::is_ascii_uppercase);
    listed.chain(decomposed.map(|base| Letter { base, special: false }).filter(move |_| text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(number: &str) -> String {
        compact(number).into_iter().collect()
    }

    #[test]
    fn dashes_spaces_and_invisible_marks_are_no_part_of_a_number() {
        let separators = [
            "-", "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2014}", "\u{2015}", "\u{2212}", "\u{FE58}",
            "\u{FE63}", "\u{FF0D}", "\u{AD}", "\u{2043}", "\u{30FC}", "\u{FF70}", "\u{30A0}", "\u{58A}", "\u{1806}",
            "\u{301C}", "\u{FF5E}", " ", "\u{A0}", "\u{2007}", "\u{2009}", "\u{202F}", "\u{3000}", "\u{1680}", "\t",
            "\u{200B}", "\u{200C}", "\u{200D}", "\u{2060}", "\u{FEFF}", "\u{200E}", "\u{200F}", "\u{61C}", "\u{202A}",
            "\u{202C}", "\u{2066}", "\u{2069}", "\u{FE0F}", ".", "/", "_", "·", "'", "\u{2019}", "",
        ];
        for separator in separators {
            assert_eq!(compacted(&format!("518{separator}21{separator}3456")), "518213456", "{separator:?}");
        }
    }

    #[test]
    fn digits_of_every_script_are_digits() {
        for number in [
            "５１８２１３４５６",
            "٥١٨٢١٣٤٥٦",
            "۵۱۸۲۱۳۴۵۶",
            "५१८२१३४५६",
            "𝟓𝟏𝟖𝟐𝟏𝟑𝟒𝟓𝟔",
            "𝟝𝟙𝟠𝟚𝟙𝟛𝟜𝟝𝟞",
            "5️⃣1️⃣8️⃣2️⃣1️⃣3️⃣4️⃣5️⃣6️⃣",
        ] {
            assert_eq!(compacted(number), "518213456", "{number}");
        }
    }

    #[test]
    fn letters_are_compared_in_upper_case_and_composed() {
        assert_eq!(compacted("ｇｏｄｅ561231gr8"), "GODE561231GR8");
        assert_eq!(compacted("n\u{303}&a"), "Ñ&A");
    }

    #[test]
    fn a_name_has_the_same_letters_however_it_is_encoded() {
        assert_eq!(words("Ñáñez López"), words("N\u{303}a\u{301}n\u{303}ez  Lo\u{301}pez"));
        assert_eq!(words("ＬＯＰＥＺ"), words("lopez"));
        assert_eq!(words("María\u{2010}José"), words("MARIA JOSE"));
        assert_eq!(words("O’\u{200B}Connor"), words("O'CONNOR"));
    }

    #[test]
    fn words_to_search_for_have_neither_accents_nor_case_nor_punctuation() {
        for (name, expected) in [
            ("Ñáñez López", "nanez lopez"),
            ("N\u{303}a\u{301}n\u{303}ez\u{A0}LO\u{301}PEZ", "nanez lopez"),
            ("María\u{2010}José  de  la O", "maria jose de la o"),
            ("O’\u{200B}Connor", "oconnor"),
            ("d'Angelo", "dangelo"),
            ("Weiß & Söhne GmbH", "weiss sohne gmbh"),
            ("WEISS", "weiss"),
            ("Łukasz Ægir", "lukasz aegir"),
            ("ＡＢＣ３", "abc3"),
            ("3M Co., Ltd.", "3m co ltd"),
            ("王 小明", "王 小明"),
            ("Ἀθηνᾶ", "αθηνα"),
            ("ЁЛКИН", "елкин"),
            ("-- ' --", ""),
        ] {
            assert_eq!(search_words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn letters_of_the_extended_latin_alphabet_have_a_base() {
        let written = |name| words(name)[0].iter().map(|letter| letter.base).collect::<String>();
        for (name, base) in [
            ("Łopez", "LOPEZ"),
            ("Øre", "ORE"),
            ("Weiß", "WEISS"),
            ("Ægir", "AEGIR"),
            ("Đorđe", "DORDE"),
            ("Işık", "ISIK"),
            ("İnci", "INCI"),
            ("Þór", "THOR"),
            ("Nguyễn", "NGUYEN"),
            ("Škvorecký", "SKVORECKY"),
        ] {
            assert_eq!(written(name), base, "{name}");
        }
        assert!(words("王 明").is_empty());
    }
}
