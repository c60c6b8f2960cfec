//! The tax numbers of the USA: SSN (Social Security Administration), ITIN and EIN (Internal Revenue Service). None has
//! a check digit; what is known is which numbers are never issued.

use super::{Flaw, digits, with_leading_zeros};

/// Numbers that the Social Security Administration has declared void because they were printed in public: a wallet
/// maker's sample, its own pamphlet of 1940, an advertisement.
const PRINTED_SSNS: [u32; 3] = [78_051_120, 219_099_999, 457_555_462];

/// The prefixes that the IRS has not announced on "How EINs are assigned and valid EIN prefixes".
const UNANNOUNCED_EIN_PREFIXES: [u32; 17] = [0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97];

/// The fewest digits that are taken for a number without its leading zeros: the lowest areas begin with two.
const FEWEST_OF_SSN: usize = 7;

/// The same of an EIN: no prefix is 00.
const FEWEST_OF_EIN: usize = 8;

/// Checks a Social Security number: area, group and serial (20 CFR 422.103; SSA, "Social Security Number
/// Randomization": no area 000, 666 or 900 to 999, no group 00, no serial 0000).
///
/// # Errors
/// [`Flaw::Form`] where it is not nine digits, [`Flaw::LeadingZeros`] where it may be one without its leading zeros,
/// [`Flaw::NeverIssued`].
pub fn check_ssn(number: &str) -> Result<(), Flaw> {
    let (value, zeros_are_missing) = value_or_padded(number, FEWEST_OF_SSN)?;
    let (area, group, serial) = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
    let impossible = matches!(area, 0 | 666 | 900..) || group == 0 || serial == 0;
    if impossible || PRINTED_SSNS.contains(&value) {
        return Err(Flaw::NeverIssued);
    }
    if zeros_are_missing { Err(Flaw::LeadingZeros) } else { Ok(()) }
}

/// Checks an Individual Taxpayer Identification Number: it begins with 9, and its fourth and fifth digits are 50 to 65,
/// 70 to 88, 90 to 92 or 94 to 99 (IRS, Internal Revenue Manual on ITINs).
///
/// # Errors
/// [`Flaw::Form`] where it is not nine digits, [`Flaw::NeverIssued`].
pub fn check_itin(number: &str) -> Result<(), Flaw> {
    let value = value(number)?;
    let (area, group) = (value / 1_000_000, value / 10_000 % 100);
    let issued = area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99);
    if issued { Ok(()) } else { Err(Flaw::NeverIssued) }
}

/// Checks an Employer Identification Number: its first two digits name the campus that assigned it.
///
/// # Errors
/// [`Flaw::Form`] where it is not nine digits, [`Flaw::LeadingZeros`] where it may be one without its leading zero,
/// [`Flaw::UnknownRange`] where the IRS has not announced the prefix.
pub fn check_ein(number: &str) -> Result<(), Flaw> {
    let (value, zeros_are_missing) = value_or_padded(number, FEWEST_OF_EIN)?;
    if zeros_are_missing {
        return Err(Flaw::LeadingZeros);
    }
    if UNANNOUNCED_EIN_PREFIXES.contains(&(value / 10_000_000)) { Err(Flaw::UnknownRange) } else { Ok(()) }
}

/// The value, and whether leading zeros had to be added.
fn value_or_padded(number: &str, fewest: usize) -> Result<(u32, bool), Flaw> {
    if let Ok(value) = value(number) {
        return Ok((value, false));
    }
    let padded = with_leading_zeros(number, fewest).ok_or(Flaw::Form)?;
    Ok((joined(&padded), true))
}

fn value(number: &str) -> Result<u32, Flaw> {
    let digits: [u32; 9] = digits(number).ok_or(Flaw::Form)?;
    Ok(joined(&digits))
}

fn joined(digits: &[u32; 9]) -> u32 {
    digits.iter().fold(0, |value, digit| value * 10 + digit)
}
