//! Brazil's number of legal persons, the CNPJ (Cadastro Nacional da Pessoa Jurídica), with the letters that Receita
//! Federal's Instrução Normativa RFB 2.229 of 15 October 2024 allows from July 2026: eight characters of the root and
//! four of the establishment, each counting as its ASCII code less 48, then two digits by modulus 11.

use super::cpf::check_digit;
use super::{Flaw, all_equal, weighted, with_leading_zeros};
use crate::domain::writing::compact;

/// The weights of the second check digit; those of the first are the same without the leading one.
const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];

/// The fewest digits that are taken for a number without its leading zeros: establishment and check digits.
const FEWEST: usize = 6;

/// Checks both check digits, of a numeric CNPJ or an alphanumeric one.
///
/// # Errors
/// [`Flaw::Form`] where it is not twelve letters or digits and two digits, [`Flaw::LeadingZeros`] where it is a numeric
/// one without its leading zeros, [`Flaw::NeverIssued`] where all are the same, [`Flaw::CheckDigit`].
pub fn check(number: &str) -> Result<(), Flaw> {
    let Ok(characters) = <[char; 14]>::try_from(compact(number)) else {
        let padded = with_leading_zeros(number, FEWEST).ok_or(Flaw::Form)?;
        check_values(padded).map_err(|_| Flaw::Form)?;
        return Err(Flaw::LeadingZeros);
    };
    let (body, check) = characters.split_at(12);
    let in_form = body.iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
    if !in_form || !check.iter().all(char::is_ascii_digit) {
        return Err(Flaw::Form);
    }
    check_values(characters.map(|c| u32::from(c) - u32::from('0')))
}

fn check_values(values: [u32; 14]) -> Result<(), Flaw> {
    if all_equal(&values) {
        return Err(Flaw::NeverIssued);
    }
    let first = check_digit(weighted(&values[..12], &WEIGHTS[1..]));
    let second = check_digit(weighted(&values[..13], &WEIGHTS));
    if values[12..] == [first, second] { Ok(()) } else { Err(Flaw::CheckDigit) }
}
