//! Query strings.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// A name and a value; none where the text is no percent-encoded UTF-8.
pub(super) type Pair<'a> = Option<(Cow<'a, str>, Cow<'a, str>)>;

/// The parameters of a query in their order, as HTML forms write them.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = Pair<'_>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, decode(value)?))
    })
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !crate::router::well_formed(text) {
        return None;
    }
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return percent_decode_str(&spaced).decode_utf8().ok().map(|decoded| Cow::Owned(decoded.into_owned()));
    }
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_forms_write_it() {
        let read = |query| pairs(query).map(|pair| pair.map(|(a, b)| format!("{a}:{b}"))).collect::<Vec<_>>();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("a=1&b.c=x+y%2B&&d&e=f=g"), [some("a:1"), some("b.c:x y+"), some("d:"), some("e:f=g")]);
        assert_eq!(read("a=%zz&%ff=1"), [None, None]);
        assert!(read("").is_empty());
    }
}
