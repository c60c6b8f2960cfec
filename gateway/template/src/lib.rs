//! Path templates of `google.api.http`.
//!
//! The generator refuses a template at build time with the parser that the router uses at start-up.

use std::fmt;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Exactly this text, decoded.
    Literal(String),
    /// `*`: any one segment that is not empty.
    One,
    /// `**`: all segments that are left, or none; always the last.
    Rest,
}

/// A field that takes its value from the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The field's path by proto names, dot-joined.
    pub field: String,
    /// Its first segment.
    pub start: usize,
    /// The segment after its last one.
    pub end: usize,
}

/// A path template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The segments, those of variables too.
    pub segments: Vec<Segment>,
    /// The variables from left to right.
    pub variables: Vec<Variable>,
    /// What follows the last `:` outside of braces.
    pub verb: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The column of the first character that does not fit, and why.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser { chars: text.chars().collect(), at: 0, found: Vec::new(), variables: Vec::new() };
        parser.expect('/', "a template starts with `/`")?;
        parser.segments(false)?;
        let verb = if parser.take(':') { Some(parser.literal("a verb")?) } else { None };
        if parser.at < parser.chars.len() {
            return Err(parser.error("expected `/`, `:` or the end"));
        }
        Ok(Self { segments: parser.found, variables: parser.variables, verb })
    }
}

impl Variable {
    /// Whether its value may have slashes.
    #[must_use]
    pub fn is_multi(&self, template: &Template) -> bool {
        self.end - self.start > 1 || template.segments[self.start] == Segment::Rest
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The place, counted in characters from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for TemplateError {}

struct Parser {
    chars: Vec<char>,
    at: usize,
    found: Vec<Segment>,
    variables: Vec<Variable>,
}

impl Parser {
    fn segments(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        loop {
            if self.found.last() == Some(&Segment::Rest) {
                return Err(self.error("nothing but a verb can follow `**`"));
            }
            self.segment(in_variable)?;
            if !self.take('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        match self.peek() {
            Some('*') => {
                self.at += 1;
                let segment = if self.take('*') { Segment::Rest } else { Segment::One };
                self.found.push(segment);
                Ok(())
            }
            Some('{') if in_variable => Err(self.error("a variable cannot hold a variable")),
            Some('{') => self.variable(),
            _ => {
                let literal = self.literal("a segment")?;
                self.found.push(Segment::Literal(literal));
                Ok(())
            }
        }
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        self.at += 1;
        let column = self.at;
        let field = self.field_path()?;
        if self.variables.iter().any(|variable| variable.field == field) {
            return Err(TemplateError { column: column + 1, message: format!("`{field}` is bound twice") });
        }
        let start = self.found.len();
        if self.take('=') {
            self.segments(true)?;
        } else {
            self.found.push(Segment::One);
        }
        self.variables.push(Variable { field, start, end: self.found.len() });
        self.expect('}', "expected `}`")
    }

    fn field_path(&mut self) -> Result<String, TemplateError> {
        let mut path = String::new();
        loop {
            match self.peek() {
                Some(first) if first.is_ascii_alphabetic() || first == '_' => {}
                _ => return Err(self.error("expected the name of a field")),
            }
            while let Some(next) = self.peek().filter(|next| next.is_ascii_alphanumeric() || *next == '_') {
                path.push(next);
                self.at += 1;
            }
            if !self.take('.') {
                return Ok(path);
            }
            path.push('.');
        }
    }

    fn literal(&mut self, what: &str) -> Result<String, TemplateError> {
        let start = self.at;
        let mut bytes = Vec::new();
        while let Some(next) = self.peek() {
            match next {
                '%' => bytes.push(self.escape()?),
                _ if next.is_ascii_alphanumeric() || "-_.~!$&'()+,;@".contains(next) => {
                    bytes.push(u8::try_from(next).map_err(|_| self.error("expected ASCII"))?);
                    self.at += 1;
                }
                _ => break,
            }
        }
        if self.at == start {
            return Err(self.error(&format!("expected {what}")));
        }
        String::from_utf8(bytes)
            .map_err(|_| TemplateError { column: start + 1, message: "the escapes are not UTF-8".to_owned() })
    }

    fn escape(&mut self) -> Result<u8, TemplateError> {
        let digit =
            |at: usize| self.chars.get(at).and_then(|digit| digit.to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (digit(self.at + 1), digit(self.at + 2)) {
            (Some(high), Some(low)) => {
                self.at += 3;
                Ok(high * 16 + low)
            }
            _ => Err(self.error("`%` needs two hexadecimal digits")),
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: char, message: &str) -> Result<(), TemplateError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(message)) }
    }

    fn error(&self, message: &str) -> TemplateError {
        TemplateError { column: self.at + 1, message: message.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(text: &str) -> usize {
        Template::parse(text).expect_err(text).column
    }

    #[test]
    fn a_variable_covers_the_segments_of_its_pattern() {
        let template = Template::parse("/v1/{book.name=shelves/*/books/**}:read").expect("a template");
        let literal = |text: &str| Segment::Literal(text.to_owned());
        let segments = [literal("v1"), literal("shelves"), Segment::One, literal("books"), Segment::Rest].to_vec();
        let variables = vec![Variable { field: "book.name".to_owned(), start: 1, end: 5 }];
        assert_eq!(template, Template { segments, variables, verb: Some("read".to_owned()) });
        assert!(template.variables[0].is_multi(&template));
    }

    #[test]
    fn a_variable_without_a_pattern_is_one_segment() {
        let template = Template::parse("/v1/users/{user_id}").expect("a template");
        assert_eq!(template.segments[2], Segment::One);
        assert!(!template.variables[0].is_multi(&template));
    }

    #[test]
    fn a_literal_may_have_escapes_and_dots() {
        let template = Template::parse("/.well-known/a%20b").expect("a template");
        let expected = [".well-known", "a b"].map(|text| Segment::Literal(text.to_owned()));
        assert_eq!(template.segments, expected);
    }

    #[test]
    fn an_error_names_the_column_of_the_character_that_does_not_fit() {
        for (text, expected) in [
            ("", 1),
            ("v1", 1),
            ("/", 2),
            ("/v1//users", 5),
            ("/v1/", 5),
            ("/v1/{", 6),
            ("/v1/{1d}", 6),
            ("/v1/{id", 8),
            ("/v1/{a.}", 8),
            ("/v1/{a=}", 8),
            ("/v1/{a={b}}", 8),
            ("/v1/{a}/{a}", 10),
            ("/v1/**/x", 8),
            ("/v1/{a=**}/x", 12),
            ("/v1/***", 7),
            ("/v1/*x", 6),
            ("/v1/a:", 7),
            ("/v1/a:b:c", 8),
            ("/v1/a b", 6),
            ("/v1/%4", 5),
            ("/v1/%ff", 5),
            ("/v1/ü", 5),
        ] {
            assert_eq!(column(text), expected, "{text}");
        }
    }
}
