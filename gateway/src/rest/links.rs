//! The pages of a list as links (RFC 8288).

use http::{HeaderValue, Uri};

use super::query::pairs;

/// The parameters of a request that say which page it asks for.
const PLACE: [&str; 2] = ["cursor", "offset"];

/// Which part of a list an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many were asked for.
    pub limit: u32,
    /// How many were skipped.
    pub offset: u32,
    /// Whether there are more behind these.
    pub has_more: bool,
    /// The cursor of what follows, where the list has cursors.
    pub next_cursor: Option<String>,
}

/// The `Link` header of a page that was asked for at `uri`: `first`, and `prev` and `next` as far as there are such. What is
/// before a cursor is not known.
pub(super) fn header(uri: &Uri, page: &Page) -> Option<HeaderValue> {
    let has_cursor = pairs(uri.query().unwrap_or_default()).flatten().any(|(name, _)| name == "cursor");
    let mut links = vec![link(uri, None, "first")];
    if page.offset > 0 && !has_cursor {
        let before = page.offset.saturating_sub(page.limit);
        links.push(link(uri, (before > 0).then(|| ("offset", before.to_string())), "prev"));
    }
    if page.has_more {
        let next = match &page.next_cursor {
            Some(cursor) => ("cursor", cursor.clone()),
            None => ("offset", page.offset.saturating_add(page.limit).to_string()),
        };
        links.push(link(uri, Some(next), "next"));
    }
    // Of a URI and of cursors that are URI characters.
    HeaderValue::try_from(links.join(", ")).ok()
}

/// A link to the same list at another place.
fn link(uri: &Uri, place: Option<(&str, String)>, relation: &str) -> String {
    let query = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let says_place = |pair: &&str| pairs(pair).flatten().any(|(name, _)| PLACE.contains(&&*name));
    let kept = query.filter(|pair| !says_place(pair)).map(str::to_owned);
    let query: Vec<_> = kept.chain(place.map(|(name, value)| format!("{name}={value}"))).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("<{}{mark}{}>; rel=\"{relation}\"", uri.path(), query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(uri: &str, offset: u32, has_more: bool, next_cursor: Option<&str>) -> String {
        let uri = uri.parse().expect("a URI");
        let page = Page { limit: 10, offset, has_more, next_cursor: next_cursor.map(str::to_owned) };
        header(&uri, &page).expect("links").to_str().expect("ASCII").to_owned()
    }

    #[test]
    fn the_links_keep_all_that_does_not_say_the_page() {
        assert_eq!(
            links("/v1/a?limit=10&offset=25&name=a%20b", 25, true, None),
            "</v1/a?limit=10&name=a%20b>; rel=\"first\", </v1/a?limit=10&name=a%20b&offset=15>; rel=\"prev\", \
             </v1/a?limit=10&name=a%20b&offset=35>; rel=\"next\""
        );
    }

    #[test]
    fn the_first_page_and_the_last_have_no_links_beyond() {
        assert_eq!(links("/v1/a", 0, false, None), "</v1/a>; rel=\"first\"");
        assert_eq!(links("/v1/a?offset=5", 5, false, None), "</v1/a>; rel=\"first\", </v1/a>; rel=\"prev\"");
    }

    #[test]
    fn a_list_with_cursors_goes_on_by_cursor() {
        assert_eq!(
            links("/v1/a?o=1", 0, true, Some("x-_1")),
            "</v1/a?o=1>; rel=\"first\", </v1/a?o=1&cursor=x-_1>; rel=\"next\""
        );
        assert_eq!(
            links("/v1/a?cursor=a&o=1", 0, true, Some("b")),
            "</v1/a?o=1>; rel=\"first\", </v1/a?o=1&cursor=b>; rel=\"next\""
        );
        assert_eq!(links("/v1/a?%63ursor=a", 0, false, None), "</v1/a>; rel=\"first\"");
    }
}
