//! Comma-separated values, read record by record with exact places and bounded memory.

use std::io::{BufRead, ErrorKind};

use super::{Place, ReadError};

/// A longer record is refused: it is a quote that was never closed.
const LONGEST_RECORD: usize = 4 << 20;

/// Reads records of RFC 4180; line ends may be LF, CRLF or CR, quotes may stand for themselves inside a bare field.
pub struct Csv<R> {
    input: R,
    separator: u8,
    line: u64,
    byte: u64,
    ended: bool,
}

/// One record and where it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The fields without their quotes.
    pub fields: Vec<String>,
    /// Its first line.
    pub place: Place,
    /// A line end followed it. A record without one may be cut short.
    pub terminated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Bare,
    Quoted,
    QuoteInQuoted,
}

impl<R: BufRead> Csv<R> {
    /// Reads UTF-8 with this separator.
    pub const fn new(input: R, separator: u8) -> Self {
        Self { input, separator, line: 1, byte: 0, ended: false }
    }

    /// The next record; empty lines and the end-of-file character of DOS are passed over.
    ///
    /// # Errors
    /// If the input fails, ends inside quotes, or a record is longer than 4 MiB.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        while !self.ended {
            let record = self.read_record()?;
            if record.fields.iter().any(|field| !field.trim_matches(['\u{1a}', ' ']).is_empty())
                || record.fields.len() > 1
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    fn read_record(&mut self) -> Result<Record, ReadError> {
        let place = self.place();
        let (mut fields, mut field, mut state, mut length) = (Vec::new(), Vec::new(), State::Start, 0);
        let terminated = loop {
            let Some(byte) = self.next_byte()? else {
                self.ended = true;
                break false;
            };
            length += 1;
            if length > LONGEST_RECORD {
                return Err(ReadError::RecordTooLong { place });
            }
            match (state, byte) {
                (State::Quoted, b'"') => state = State::QuoteInQuoted,
                (State::Quoted, _) => field.push(byte),
                (State::QuoteInQuoted, b'"') => {
                    field.push(b'"');
                    state = State::Quoted;
                }
                (State::Start, b'"') => state = State::Quoted,
                // Blanks before a quote.
                (State::Start, b' ') => field.push(b' '),
                (_, b'\n') => break true,
                (_, b'\r') => {
                    self.skip_line_feed()?;
                    break true;
                }
                (_, byte) if byte == self.separator => {
                    fields.push(text(std::mem::take(&mut field)));
                    state = State::Start;
                }
                (_, byte) => {
                    field.push(byte);
                    state = State::Bare;
                }
            }
        };
        if state == State::Quoted {
            return Err(ReadError::CutShort { place, why: "a quote is not closed" });
        }
        fields.push(text(field));
        Ok(Record { fields, place, terminated })
    }

    const fn place(&self) -> Place {
        Place { line: self.line, byte: self.byte }
    }

    fn next_byte(&mut self) -> Result<Option<u8>, ReadError> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.input.consume(1);
            self.byte += 1;
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }

    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Input { place: self.place(), error }),
            }
        }
    }

    fn skip_line_feed(&mut self) -> Result<(), ReadError> {
        if self.peek()? == Some(b'\n') {
            self.next_byte()?;
        } else {
            self.line += 1;
        }
        Ok(())
    }
}

/// The input is UTF-8 by the transcoder; anything else is shown as replacement characters.
fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    text.trim().to_owned()
}
