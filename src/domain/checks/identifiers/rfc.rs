//! Mexico's taxpayer number, the RFC (Registro Federal de Contribuyentes), as the SAT forms it (Código Fiscal de la
//! Federación, art. 27; "IFAI 0610100162005", the SAT's own description of homonym key and check digit): letters of the
//! name (four of a person, three of a company), the date of birth or formation, two characters against duplicates, a
//! check digit.

use chrono::NaiveDate;

use super::Flaw;
use crate::domain::writing::compact;

/// The characters that the check digit counts, each worth its place.
const ALPHABET: &str = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ";

/// The numbers that the SAT prescribes for the public at large and for foreigners without one (Resolución Miscelánea
/// Fiscal).
const GENERIC: [&str; 2] = ["XAXX010101000", "XEXX010101000"];

/// What a well-formed RFC says about its bearer.
#[derive(Clone, PartialEq, Eq)]
pub struct Rfc {
    /// The letters of the name: four of a person, three of a company.
    pub letters: Vec<char>,
    /// Year without century, month and day of birth or formation.
    pub date: (u32, u32, u32),
    /// Whether the last character follows from the others. About one in seventy numbers in use fails here, by the
    /// experience of those who maintain validators, so that this is no reason to reject.
    pub checked: bool,
}

impl Rfc {
    /// Reads an RFC with its homonym key.
    ///
    /// # Errors
    /// [`Flaw::Form`], [`Flaw::Date`], [`Flaw::Generic`] where the number is a generic one, or [`Flaw::Incomplete`]
    /// where it is one without its homonym key and check digit, as many papers print it.
    pub fn parse(number: &str) -> Result<Self, Flaw> {
        let characters = compact(number);
        let letters = match characters.len() {
            9 | 12 => 3,
            10 | 13 => 4,
            _ => return Err(Flaw::Form),
        };
        let (name, rest) = characters.split_at(letters);
        let (date, key) = rest.split_at(6);
        let in_form = name.iter().all(|c| c.is_ascii_uppercase() || matches!(c, 'Ñ' | '&'))
            && key.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let digits: Option<Vec<u32>> = date.iter().map(|c| c.to_digit(10)).collect();
        let (true, Some(digits)) = (in_form, digits) else { return Err(Flaw::Form) };
        if GENERIC.iter().any(|generic| generic.chars().eq(characters.iter().copied())) {
            return Err(Flaw::Generic);
        }
        let [year, month, day] = [0, 2, 4].map(|at| digits[at] * 10 + digits[at + 1]);
        // The century is not written: 29 February may be of either.
        let exists = |century: i32| NaiveDate::from_ymd_opt(century + year as i32, month, day).is_some();
        if !exists(1900) && !exists(2000) {
            return Err(Flaw::Date);
        }
        if key.is_empty() {
            return Err(Flaw::Incomplete);
        }
        let checked = characters.last() == check_character(&characters).as_ref();
        Ok(Self { letters: name.to_vec(), date: (year, month, day), checked })
    }

    /// Whether it is of a natural person.
    #[must_use]
    pub fn is_of_person(&self) -> bool {
        self.letters.len() == 4
    }
}

/// The last character that follows from the others; a company's number counts as one with a blank before it.
fn check_character(characters: &[char]) -> Option<char> {
    let body = &characters[..characters.len() - 1];
    let sum = body.iter().rev().zip(2_u32..).try_fold(0, |sum, (character, weight)| {
        let (_, value) = ALPHABET.chars().zip(0_u32..).find(|(known, _)| known == character)?;
        Some(sum + value * weight)
    })?;
    let blank = if characters.len() == 12 { 37 * 13 } else { 0 };
    let digit = (11 - (sum + blank) % 11) % 11;
    if digit == 10 { Some('A') } else { char::from_digit(digit, 10) }
}
