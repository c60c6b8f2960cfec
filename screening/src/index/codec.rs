//! Entries as bytes: a listed name costs its text and a few bytes more.

use crate::list::{DateRange, Document, Entry, ListedName, NameKind, PartialDate, Place};
use crate::name::Kind;

const KINDS: [Kind; 5] = [Kind::Person, Kind::Organisation, Kind::Vessel, Kind::Aircraft, Kind::Unknown];
const NAME_KINDS: [NameKind; 5] =
    [NameKind::Primary, NameKind::Alias, NameKind::WeakAlias, NameKind::Former, NameKind::Original];

/// Appends an entry; what many entries share is written as its number.
pub(super) fn write(out: &mut Vec<u8>, entry: &Entry, shared: &mut impl FnMut(&str) -> usize) {
    number(out, shared(&entry.list));
    text(out, &entry.id);
    out.push(position(&KINDS, entry.kind));
    list(out, &entry.names, |out, name| {
        out.push(position(&NAME_KINDS, name.kind));
        text(out, &name.text);
    });
    list(out, &entry.programmes, |out, programme| number(out, shared(programme)));
    list(out, &entry.births, birth);
    list(out, &entry.countries, |out, country| number(out, shared(country)));
    list(out, &entry.documents, |out, document| {
        number(out, shared(&document.kind));
        text(out, &document.number);
        number(out, document.country.as_deref().map_or(0, |country| shared(country) + 1));
    });
    optional(out, entry.reason.as_deref());
    optional(out, entry.expires.as_deref());
    number(out, entry.place.line as usize);
    number(out, entry.place.byte as usize);
}

fn position<T: PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|other| *other == one).unwrap_or(all.len() - 1) as u8
}

fn number(out: &mut Vec<u8>, mut value: usize) {
    while value > 127 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, value: &str) {
    number(out, value.len());
    out.extend_from_slice(value.as_bytes());
}

fn optional(out: &mut Vec<u8>, value: Option<&str>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        text(out, value);
    }
}

fn list<T>(out: &mut Vec<u8>, values: &[T], mut each: impl FnMut(&mut Vec<u8>, &T)) {
    number(out, values.len());
    values.iter().for_each(|value| each(out, value));
}

fn birth(out: &mut Vec<u8>, range: &DateRange) {
    let single = range.from == range.to;
    out.push(u8::from(range.circa) | u8::from(single) << 1);
    date(out, range.from);
    if !single {
        date(out, range.to);
    }
}

fn date(out: &mut Vec<u8>, date: PartialDate) {
    out.extend_from_slice(&date.year.to_le_bytes());
    out.extend_from_slice(&[date.month.unwrap_or(0), date.day.unwrap_or(0)]);
}

/// Where each name of a written entry starts.
pub(super) fn name_places(bytes: &[u8]) -> Vec<usize> {
    let mut reader = Reader { bytes, shared: &[] };
    reader.number();
    reader.skip_text();
    reader.byte();
    let count = reader.number();
    let place = |_| {
        let at = bytes.len() - reader.bytes.len();
        reader.byte();
        reader.skip_text();
        at
    };
    (0..count).map(place).collect()
}

/// Reads what [`write()`] wrote.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) shared: &'a [Box<str>],
}

impl Reader<'_> {
    pub(super) fn entry(&mut self) -> Entry {
        Entry {
            list: self.shared(),
            id: self.text(),
            kind: KINDS[usize::from(self.byte()).min(KINDS.len() - 1)],
            names: self.list(Self::name),
            programmes: self.list(Self::shared),
            births: self.list(Self::birth),
            countries: self.list(Self::shared),
            documents: self.list(Self::document),
            reason: self.optional(),
            expires: self.optional(),
            place: Place { line: self.number() as u64, byte: self.number() as u64 },
        }
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().map_or((0, self.bytes), |(first, rest)| (*first, rest));
        self.bytes = rest;
        first
    }

    fn number(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 || shift > 56 {
                return value;
            }
        }
    }

    fn take(&mut self) -> &str {
        let length = self.number().min(self.bytes.len());
        let (text, rest) = self.bytes.split_at(length);
        self.bytes = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }

    fn text(&mut self) -> String {
        self.take().to_owned()
    }

    fn skip_text(&mut self) {
        let length = self.number().min(self.bytes.len());
        self.bytes = &self.bytes[length..];
    }

    fn shared(&mut self) -> String {
        let at = self.number();
        self.shared.get(at).map(|text| text.to_string()).unwrap_or_default()
    }

    fn optional(&mut self) -> Option<String> {
        (self.byte() == 1).then(|| self.text())
    }

    fn list<T>(&mut self, mut each: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.number()).map(|_| each(self)).collect()
    }

    pub(super) fn name(&mut self) -> ListedName {
        let kind = NAME_KINDS[usize::from(self.byte()).min(NAME_KINDS.len() - 1)];
        ListedName { kind, text: self.text() }
    }

    fn birth(&mut self) -> DateRange {
        let flags = self.byte();
        let from = self.date();
        let to = if flags & 2 == 0 { self.date() } else { from };
        DateRange { from, to, circa: flags & 1 == 1 }
    }

    fn date(&mut self) -> PartialDate {
        let year = u16::from_le_bytes([self.byte(), self.byte()]);
        let part = |value: u8| (value > 0).then_some(value);
        PartialDate { year, month: part(self.byte()), day: part(self.byte()) }
    }

    fn document(&mut self) -> Document {
        let (kind, number) = (self.shared(), self.text());
        let country = self.number().checked_sub(1).and_then(|at| self.shared.get(at)).map(|text| text.to_string());
        Document { kind, number, country }
    }
}
