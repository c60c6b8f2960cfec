//! The fields that the contract marks as SENSITIVITY_NUMBER, found in any message that holds some.

/// A number of a person or business, as a message holds it.
#[derive(Debug)]
pub struct Number<'a> {
    /// Its key in the JSON object.
    pub name: &'static str,
    /// The value of the enum `type` beside it, where there is one.
    pub kind: Option<i32>,
    /// The number itself.
    pub text: &'a mut Option<String>,
}

/// A message that holds numbers. The generator implements it.
pub trait Numbers {
    /// The keys of the numbers in its own JSON object.
    const NAMES: &'static [&'static str];

    /// Shows the numbers in its own JSON object, those of flattened messages too.
    fn each_own_number(&mut self, see: &mut dyn FnMut(Number<'_>));

    /// Shows the numbers of the messages within it, its own included.
    fn each_number(&mut self, see: &mut dyn FnMut(Number<'_>));
}
