//! Colombia's tax number, the NIT (Número de Identificación Tributaria), whose check digit the DIAN computes by modulus
//! 11 over prime weights (Orden Administrativa 4 of 1989).

use super::{Flaw, weighted};
use crate::domain::writing::{compact, is_dash};

/// The weight of each digit, counted from the right.
const WEIGHTS: [u32; 15] = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71];

/// Verifies the check digit, if the number itself shows that it has one.
///
/// People write a NIT with or without it. It is there where a dash precedes the last digit, and where a company's nine
/// digits (they begin with 8 or 9) are followed by a tenth; elsewhere there is nothing to check.
///
/// # Errors
/// [`Flaw::Form`] where it is not 5 to 16 digits, [`Flaw::CheckDigit`].
pub fn check(number: &str) -> Result<(), Flaw> {
    let values: Option<Vec<u32>> = compact(number).into_iter().map(|c| c.to_digit(10)).collect();
    let values = values.ok_or(Flaw::Form)?;
    if !(5..=WEIGHTS.len() + 1).contains(&values.len()) {
        return Err(Flaw::Form);
    }
    let dashed = number.rsplit_once(is_dash).is_some_and(|(_, last)| compact(last).len() == 1);
    let company = values.len() == 10 && values[0] >= 8;
    if !dashed && !company {
        return Ok(());
    }
    let (check, body) = values.split_last().ok_or(Flaw::Form)?;
    let from_the_right: Vec<u32> = body.iter().rev().copied().collect();
    let remainder = weighted(&from_the_right, &WEIGHTS);
    let expected = if remainder < 2 { remainder } else { 11 - remainder };
    if *check == expected { Ok(()) } else { Err(Flaw::CheckDigit) }
}
