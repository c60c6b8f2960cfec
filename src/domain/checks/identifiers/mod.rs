//! Tax and population numbers: what each one's published rules say about a text, and the facts that it carries.
//!
//! A number that keeps all rules is possible, not real: nothing here asks the authority that issues it.

pub mod cnpj;
pub mod cpf;
pub mod curp;
mod mexican_name;
pub mod nit;
pub mod rfc;
#[cfg(test)]
mod tests;
pub mod us_tax;

use crate::domain::writing::compact;
pub use mexican_name::NameLetters;

/// Why a text is not a number of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Wrong length or characters.
    Form,
    /// Six digits that must be a date are none.
    Date,
    /// The check digits do not follow from the rest.
    CheckDigit,
    /// The authority never issues such a number, or has published it as an example.
    NeverIssued,
    /// The authority uses the number for unidentified bearers.
    Generic,
    /// The authority has not announced the range that the number is in.
    UnknownRange,
    /// The number is right once the zeros are put before it that spreadsheets drop.
    LeadingZeros,
    /// The part that distinguishes bearers with the same letters and date is missing.
    Incomplete,
}

/// The digits of a number that must consist of exactly `N`.
fn digits<const N: usize>(number: &str) -> Option<[u32; N]> {
    let digits: Option<Vec<u32>> = compact(number).into_iter().map(|c| c.to_digit(10)).collect();
    digits?.try_into().ok()
}

/// The digits of a number that must consist of exactly `N`, with the zeros put before it that a spreadsheet drops from
/// a number; none where fewer than `fewest` digits of it are left or none is missing.
fn with_leading_zeros<const N: usize>(number: &str, fewest: usize) -> Option<[u32; N]> {
    let digits: Option<Vec<u32>> = compact(number).into_iter().map(|c| c.to_digit(10)).collect();
    let digits = digits.filter(|digits| (fewest..N).contains(&digits.len()))?;
    let mut padded = [0; N];
    padded[N - digits.len()..].copy_from_slice(&digits);
    Some(padded)
}

/// The remainder that Brazil's and Colombia's modulus 11 turn into a digit.
fn weighted(values: &[u32], weights: &[u32]) -> u32 {
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum::<u32>() % 11
}

/// Whether every value is the same.
fn all_equal(values: &[u32]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}
