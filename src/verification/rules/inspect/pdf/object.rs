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
    /// A text, a fraction, a truth value, null.
    Other,
}

impl Object {
    /// The value of a key of a dictionary.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dictionary(pairs) = self else { return None };
        pairs.iter().find(|(known, _)| known == key.as_bytes()).map(|(_, value)| value)
    }

    /// A whole number that is not negative.
    pub(super) fn size(&self) -> Option<usize> {
        if let Self::Integer(value) = self { usize::try_from(*value).ok() } else { None }
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
            Self::Integer(_) | Self::Reference(_) | Self::Other => false,
        }
    }
}

/// What may still be spent on a file, in bytes looked at. It stands for a clock.
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

/// Reads bytes from one place on.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, values: 0 }
    }

    /// Where it stands.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes blanks and comments.
    fn skip_blanks(&mut self) {
        while let Some(byte) = self.peek() {
            if byte == b'%' {
                while self.peek().is_some_and(|byte| byte != b'\n' && byte != b'\r') {
                    self.at += 1;
                }
            } else if is_blank(byte) {
                self.at += 1;
            } else {
                return;
            }
        }
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

    /// Reads the head `12 0 obj` and tells the number.
    pub(super) fn head(&mut self) -> Result<u32, Fault> {
        let number = self.integer()?;
        self.integer()?;
        if !self.accept("obj") {
            return Err(Fault::Damaged);
        }
        u32::try_from(number).map_err(|_| Fault::Damaged)
    }

    /// Reads one object. The blanks and comments in it are work too.
    pub(super) fn object(&mut self, work: &mut Work) -> Result<Object, Fault> {
        let start = self.at;
        self.values = 0;
        let object = self.value(0)?;
        work.spend(self.at - start)?;
        Ok(object)
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

    /// A name, in which `#4A` stands for J: scripts hide behind it.
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
        let mut open = 0_usize;
        loop {
            match self.peek().ok_or(Fault::Damaged)? {
                b'\\' => self.at += 1,
                b'(' => open += 1,
                b')' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Ok(Object::Other);
            }
        }
    }

    fn hexadecimal(&mut self) -> Result<Object, Fault> {
        let length = self.bytes[self.at..].iter().position(|byte| *byte == b'>').ok_or(Fault::Damaged)?;
        self.at += length + 1;
        Ok(Object::Other)
    }

    /// A number, a reference such as `12 0 R`, or a keyword.
    fn number_or_keyword(&mut self) -> Result<Object, Fault> {
        let word = self.word();
        if word.is_empty() {
            return Err(Fault::Damaged);
        }
        let Some(value) = std::str::from_utf8(word).ok().and_then(|word| word.parse::<i64>().ok()) else {
            let keyword = word[0].is_ascii_alphabetic() && !matches!(word, b"true" | b"false" | b"null");
            return if keyword { Err(Fault::Damaged) } else { Ok(Object::Other) };
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
