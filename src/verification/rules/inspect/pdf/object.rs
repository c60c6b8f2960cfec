//! The objects of a PDF (ISO 32000-2, 7.3), read with bounds on nesting, size and work.

/// How deep arrays and dictionaries may nest.
const MAX_DEPTH: usize = 64;

/// The most values in one object. They bound its memory: a value takes one byte of the file and forty of ours.
const MAX_VALUES: usize = 200_000;

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes are not what they should be.
    Damaged,
    /// A limit was met.
    TooComplex,
    /// Something refers back to where it came from.
    Loop,
}

/// A value, as far as anybody here asks for it.
pub(super) enum Object {
    Integer(i64),
    Name(Vec<u8>),
    /// The number of the object referred to.
    Reference(u32),
    Array(Vec<Object>),
    Dictionary(Vec<(Vec<u8>, Object)>),
    /// A text, its escapes undone.
    Text(Vec<u8>),
    Boolean(bool),
    /// A fraction, null.
    Other,
}

impl Object {
    /// The value of a key of a dictionary.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dictionary(pairs) = self else { return None };
        pairs.iter().find(|(known, _)| known == key.as_bytes()).map(|(_, value)| value)
    }

    /// Takes the value of a key out of a dictionary.
    pub(super) fn take(&mut self, key: &str) -> Option<Self> {
        let Self::Dictionary(pairs) = self else { return None };
        let at = pairs.iter().position(|(known, _)| known == key.as_bytes())?;
        Some(pairs.swap_remove(at).1)
    }

    /// A whole number.
    pub(super) const fn integer(&self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(*value) } else { None }
    }

    /// A whole number that is not negative.
    pub(super) fn size(&self) -> Option<usize> {
        if let Self::Integer(value) = self { usize::try_from(*value).ok() } else { None }
    }

    /// The bytes of a text.
    pub(super) fn text(&self) -> Option<&[u8]> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number of the object referred to.
    pub(super) const fn reference(&self) -> Option<u32> {
        if let Self::Reference(number) = self { Some(*number) } else { None }
    }

    /// Whether it is this name.
    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self, Self::Name(known) if known == name.as_bytes())
    }

    /// Whether it holds one of the names, as key or value, at any depth.
    pub(super) fn mentions(&self, names: &[&str]) -> bool {
        let listed = |name: &[u8]| names.iter().any(|listed| listed.as_bytes() == name);
        match self {
            Self::Name(name) => listed(name),
            Self::Array(values) => values.iter().any(|value| value.mentions(names)),
            Self::Dictionary(pairs) => pairs.iter().any(|(key, value)| listed(key) || value.mentions(names)),
            Self::Integer(_) | Self::Reference(_) | Self::Text(_) | Self::Boolean(_) | Self::Other => false,
        }
    }
}

/// The remaining work budget of a file, in bytes read. It replaces a clock.
pub(super) struct Work(usize);

impl Work {
    pub(super) const fn new(bytes: usize) -> Self {
        Self(bytes)
    }

    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(bytes).ok_or(Fault::TooComplex)?;
        Ok(())
    }
}

/// Which object it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) number: u32,
    pub(super) generation: u16,
}

/// Reads bytes from one place on.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
    /// The blanks and comments skipped, including those of lookaheads.
    passed: usize,
}

impl<'a> Reader<'a> {
    /// Behind the bytes there is nothing to read.
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: if at < bytes.len() { at } else { bytes.len() }, values: 0, passed: 0 }
    }

    /// Its position.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// How many blanks were passed since the last time: they are work, even where nothing follows.
    pub(super) const fn take_passed(&mut self) -> usize {
        std::mem::replace(&mut self.passed, 0)
    }

    /// Goes to a place within the bytes.
    pub(super) fn go_to(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes blanks and comments.
    fn skip_blanks(&mut self) {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                while self.peek().is_some_and(|byte| byte != b'\n' && byte != b'\r') {
                    self.at += 1;
                }
            } else if is_blank(byte) {
                self.at += 1;
            } else {
                break;
            }
        }
        self.passed += self.at - start;
    }

    /// Passes a word, if it is next.
    pub(super) fn accept(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let found = self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if found {
            self.at += word.len();
        }
        found
    }

    /// Passes the characters of a number or keyword.
    fn word(&mut self) -> &'a [u8] {
        let start = self.at;
        while self.peek().is_some_and(|byte| !is_blank(byte) && !b"()<>[]{}/%".contains(&byte)) {
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }

    /// Reads a whole number.
    pub(super) fn integer(&mut self) -> Result<i64, Fault> {
        self.skip_blanks();
        let word = std::str::from_utf8(self.word()).map_err(|_| Fault::Damaged)?;
        word.parse().map_err(|_| Fault::Damaged)
    }

    /// Reads the head `12 0 obj`.
    pub(super) fn head(&mut self) -> Result<Id, Fault> {
        let number = u32::try_from(self.integer()?).map_err(|_| Fault::Damaged)?;
        let generation = u16::try_from(self.integer()?).map_err(|_| Fault::Damaged)?;
        if self.accept("obj") { Ok(Id { number, generation }) } else { Err(Fault::Damaged) }
    }

    /// Reads one object. The blanks and comments in it are work too, and so is what turns out to be no object.
    pub(super) fn object(&mut self, work: &mut Work) -> Result<Object, Fault> {
        let start = self.at;
        self.values = 0;
        let object = self.value(0);
        work.spend(self.at - start + self.take_passed())?;
        object
    }

    fn value(&mut self, depth: usize) -> Result<Object, Fault> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return Err(Fault::TooComplex);
        }
        self.skip_blanks();
        Ok(match self.peek().ok_or(Fault::Damaged)? {
            b'/' => Object::Name(self.name()),
            b'(' => self.text()?,
            b'<' if self.bytes.get(self.at + 1) == Some(&b'<') => self.dictionary(depth)?,
            b'<' => self.hexadecimal()?,
            b'[' => self.array(depth)?,
            _ => self.number_or_keyword()?,
        })
    }

    fn array(&mut self, depth: usize) -> Result<Object, Fault> {
        self.at += 1;
        let mut values = Vec::new();
        while !self.accept("]") {
            values.push(self.value(depth + 1)?);
        }
        Ok(Object::Array(values))
    }

    fn dictionary(&mut self, depth: usize) -> Result<Object, Fault> {
        self.at += 2;
        let mut pairs = Vec::new();
        while !self.accept(">>") {
            if self.peek() != Some(b'/') {
                return Err(Fault::Damaged);
            }
            let key = self.name();
            pairs.push((key, self.value(depth + 1)?));
        }
        Ok(Object::Dictionary(pairs))
    }

    /// A name, in which `#4A` encodes J: scripts are hidden that way.
    fn name(&mut self) -> Vec<u8> {
        self.at += 1;
        let word = self.word();
        let mut name = Vec::with_capacity(word.len());
        let mut at = 0;
        while at < word.len() {
            let escaped = (word[at] == b'#').then(|| word.get(at + 1..at + 3)).flatten();
            let code = escaped.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
            name.push(code.unwrap_or(word[at]));
            at += if code.is_some() { 3 } else { 1 };
        }
        name
    }

    fn text(&mut self) -> Result<Object, Fault> {
        let mut text = Vec::new();
        let mut open = 0_usize;
        loop {
            let byte = self.peek().ok_or(Fault::Damaged)?;
            self.at += 1;
            match byte {
                b'\\' => text.extend(self.escape()),
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            if open == 0 {
                return Ok(Object::Text(text));
            }
            // The first parenthesis is no part of the text.
            if byte != b'\\' && (byte != b'(' || open > 1) {
                text.push(byte);
            }
        }
    }

    /// The character that the escape after a backslash encodes; nothing where it continues the line.
    fn escape(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b'n' => Some(b'\n'),
            b'r' => Some(b'\r'),
            b't' => Some(b'\t'),
            b'b' => Some(0x08),
            b'f' => Some(0x0C),
            b'\r' | b'\n' => {
                self.at += usize::from(byte == b'\r' && self.peek() == Some(b'\n'));
                None
            }
            b'0'..=b'7' => {
                let mut code = byte - b'0';
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = self.peek() else { break };
                    self.at += 1;
                    code = code.wrapping_mul(8).wrapping_add(digit - b'0');
                }
                Some(code)
            }
            _ => Some(byte),
        }
    }

    fn hexadecimal(&mut self) -> Result<Object, Fault> {
        let rest = &self.bytes[self.at + 1..];
        // What was passed over is work, whether or not the end is there.
        let length = memchr::memchr(b'>', rest).unwrap_or(rest.len());
        self.at += 1 + length;
        if length == rest.len() {
            return Err(Fault::Damaged);
        }
        self.at += 1;
        let digits: Vec<u8> =
            rest[..length].iter().filter_map(|byte| (*byte as char).to_digit(16)).map(|d| d as u8).collect();
        let pairs = digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0));
        Ok(Object::Text(pairs.collect()))
    }

    /// A number, a reference such as `12 0 R`, or a keyword.
    fn number_or_keyword(&mut self) -> Result<Object, Fault> {
        let word = self.word();
        if word.is_empty() {
            return Err(Fault::Damaged);
        }
        let Some(value) = std::str::from_utf8(word).ok().and_then(|word| word.parse::<i64>().ok()) else {
            return match word {
                b"true" | b"false" => Ok(Object::Boolean(word == b"true")),
                b"null" => Ok(Object::Other),
                _ if word[0].is_ascii_alphabetic() => Err(Fault::Damaged),
                _ => Ok(Object::Other),
            };
        };
        let behind = self.at;
        let reference = u32::try_from(value).ok().filter(|_| self.integer().is_ok() && self.accept("R"));
        if let Some(number) = reference {
            return Ok(Object::Reference(number));
        }
        self.at = behind;
        Ok(Object::Integer(value))
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}
