//! Brazil's number of natural persons, the CPF (Cadastro de Pessoas Físicas): nine digits, then two by the modulus 11
//! ("módulo 11") that the Receita Federal uses for all its registers.

use super::{Flaw, all_equal, digits, weighted, with_leading_zeros};

/// The fewest digits that are taken for a number without its leading zeros: fewer fit by chance too often.
const FEWEST: usize = 6;

/// Checks both check digits.
///
/// # Errors
/// [`Flaw::Form`] where it is not eleven digits, [`Flaw::LeadingZeros`] where it is one without its leading zeros,
/// [`Flaw::NeverIssued`] where all are the same, [`Flaw::CheckDigit`].
pub fn check(number: &str) -> Result<(), Flaw> {
    if let Some(digits) = digits(number) {
        return check_digits(digits);
    }
    let padded = with_leading_zeros(number, FEWEST).ok_or(Flaw::Form)?;
    check_digits(padded).map_err(|_| Flaw::Form)?;
    Err(Flaw::LeadingZeros)
}

fn check_digits(digits: [u32; 11]) -> Result<(), Flaw> {
    // Eleven equal digits satisfy the arithmetic, and are what people type to get past a form.
    if all_equal(&digits) {
        return Err(Flaw::NeverIssued);
    }
    let first = check_digit(weighted(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check_digit(weighted(&digits[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
    if digits[9..] == [first, second] { Ok(()) } else { Err(Flaw::CheckDigit) }
}

/// The check digit for a remainder of modulus 11, in both Brazilian numbers.
pub(super) const fn check_digit(remainder: u32) -> u32 {
    if remainder < 2 { 0 } else { 11 - remainder }
}
