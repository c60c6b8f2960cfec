//! Messages to JSON.

/// Writes JSON text.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// The text so far.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// A value that can be written as JSON.
pub trait ToJson {
    /// Writes the value.
    fn write(&self, out: &mut Writer);
}
