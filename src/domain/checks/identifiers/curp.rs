//! Mexico's population key, the CURP (Clave Única de Registro de Población), as RENAPO's "Instructivo Normativo para la
//! asignación de la Clave Única de Registro de Población" (DOF, 18 October 2021) forms it: four letters of the names,
//! the date of birth, the sex, the state of birth, three consonants, a character against duplicates, a check digit.

use chrono::NaiveDate;

use super::Flaw;
use crate::domain::writing::compact;

/// The characters that the check digit counts, each worth its place.
const ALPHABET: &str = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ";

/// The 32 federal entities and NE, born abroad (annex 2 of the Instructivo).
const STATES: [&str; 33] = [
    "AS", "BC", "BS", "CC", "CL", "CM", "CS", "CH", "DF", "DG", "GT", "GR", "HG", "JC", "MC", "MN", "MS", "NT", "NL",
    "OC", "PL", "QT", "QR", "SP", "SL", "SR", "TC", "TS", "TL", "VZ", "YN", "ZS", "NE",
];

/// The sex that a CURP states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// H, hombre.
    Male,
    /// M, mujer.
    Female,
    /// X, neither.
    Unspecified,
}

/// What a well-formed CURP says about its bearer.
#[derive(Clone, PartialEq, Eq)]
pub struct Curp {
    /// The initial and first inner vowel of the first surname, the initials of the second surname and the given name.
    pub letters: [char; 4],
    /// The date of birth; the seventeenth character determines the century.
    pub birth_date: NaiveDate,
    /// The sex.
    pub sex: Sex,
}

impl Curp {
    /// Reads a CURP and checks its check digit.
    ///
    /// # Errors
    /// [`Flaw::Form`], [`Flaw::Date`] or [`Flaw::CheckDigit`], the first that applies.
    pub fn parse(number: &str) -> Result<Self, Flaw> {
        let characters: [char; 18] = compact(number).try_into().map_err(|_| Flaw::Form)?;
        // The register writes X for Ñ; bearers do not always.
        let characters = characters.map(|c| if c == 'Ñ' { 'X' } else { c });
        let text: String = characters[4..].iter().collect();
        let letters = [characters[0], characters[1], characters[2], characters[3]];
        let consonants = &characters[13..16];
        // All but the letters are ASCII from here on, so that places in the text are places in the number. Which of the
        // letters are vowels is not asked: registrars read foreign names in their own ways.
        let in_form = letters.iter().all(|c| c.is_ascii_uppercase())
            && text.is_ascii()
            && STATES.contains(&&text[7..9])
            && consonants.iter().all(|c| c.is_ascii_uppercase())
            && (characters[16].is_ascii_digit() || characters[16].is_ascii_uppercase())
            && characters[17].is_ascii_digit();
        if !in_form {
            return Err(Flaw::Form);
        }
        let sex = match characters[10] {
            'H' => Sex::Male,
            'M' => Sex::Female,
            'X' => Sex::Unspecified,
            _ => return Err(Flaw::Form),
        };
        let century = if characters[16].is_ascii_digit() { "19" } else { "20" };
        if !text[..6].bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Flaw::Form);
        }
        let birth_date =
            NaiveDate::parse_from_str(&format!("{century}{}", &text[..6]), "%Y%m%d").map_err(|_| Flaw::Date)?;
        if characters[17].to_digit(10) != Some(check_digit(&characters)) {
            return Err(Flaw::CheckDigit);
        }
        Ok(Self { letters, birth_date, sex })
    }
}

fn check_digit(characters: &[char; 18]) -> u32 {
    let weighted = characters[..17].iter().zip((2..=18).rev()).map(|(character, weight)| {
        // Every character has been found to be a letter or a digit of ASCII, all of which are in the alphabet.
        let value = ALPHABET.chars().zip(0..).find(|(known, _)| known == character).map_or(0, |(_, value)| value);
        weight * value
    });
    (10 - weighted.sum::<u32>() % 10) % 10
}
