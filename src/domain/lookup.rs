//! By which values users are found, and what of a value counts: two ways of writing one value have one form.

use std::collections::BTreeSet;

use url::Url;

use super::writing::{compact, search_words};

/// What a value is, for the index: equal values of two purposes have nothing in common there. The order is that of their
/// importance where a user has more values than are indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The user's e-mail address.
    Email,
    /// The user's phone number.
    Phone,
    /// The client's own reference.
    ExternalId,
    /// A tax or document number.
    Number,
    /// The whole name of a company.
    Company,
    /// The domain of a web site.
    Domain,
    /// The content of a file, by its SHA-256.
    File,
    /// The beginning of a word of a name.
    Name,
}

impl Purpose {
    /// Its name in the derivation of keys; it never changes.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::ExternalId => "external-id",
            Self::Number => "number",
            Self::Company => "company",
            Self::Domain => "domain",
            Self::File => "file",
            Self::Name => "name",
        }
    }
}

/// How many letters of a word are indexed: with the first five, a long word leads to few candidates.
const PREFIXES: [usize; 2] = [3, 5];
/// How many words of one name count. No name has more.
const WORDS: usize = 16;

/// An e-mail address: in lower case. What follows a `+` belongs to it.
#[must_use]
pub fn email(text: &str) -> String {
    text.trim().to_lowercase()
}

/// A phone number: its digits, with the country code and without the `00` or `+` before it.
#[must_use]
pub fn phone(text: &str) -> String {
    let digits: String = compact(text).into_iter().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}

/// A number of a document or an authority.
#[must_use]
pub fn number(text: &str) -> String {
    compact(text).into_iter().collect()
}

/// A client's own reference: as it is.
#[must_use]
pub fn external_id(text: &str) -> String {
    text.to_owned()
}

/// The name of a company.
#[must_use]
pub fn company(name: &str) -> String {
    words(name).join(" ")
}

/// The domain of a web site: without scheme, port, path and `www.`; international names in their ASCII form.
#[must_use]
pub fn web_domain(text: &str) -> Option<String> {
    let text = text.trim();
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
    let host = url.ok()?.host_str()?.trim_end_matches('.').to_lowercase();
    let host = host.strip_prefix("www.").filter(|rest| rest.contains('.')).unwrap_or(&host).to_owned();
    (!host.is_empty()).then_some(host)
}

/// The words of a name that count.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    let mut words = search_words(name);
    words.truncate(WORDS);
    words
}

/// What is indexed of a word of a name: its beginnings, or a short word itself.
pub fn beginnings(word: &str) -> impl Iterator<Item = String> {
    let length = word.chars().count();
    let short = (length < PREFIXES[0]).then_some(length);
    let lengths = PREFIXES.into_iter().filter(move |prefix| *prefix <= length).chain(short);
    lengths.map(|prefix| word.chars().take(prefix).collect())
}

/// What is looked up for a word of a query: the longest that is indexed of all words it may be the beginning of.
#[must_use]
pub fn lookup_of(word: &str) -> Option<String> {
    beginnings(word).max_by_key(|beginning| beginning.len())
}

/// Whether each word of a query is found among the words of a user's names.
#[must_use]
pub fn has_words(names: &BTreeSet<String>, query: &[String]) -> bool {
    query.iter().all(|word| {
        if word.chars().count() < PREFIXES[0] {
            return names.contains(word);
        }
        names.range(word.clone()..).next().is_some_and(|name| name.starts_with(word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_compared_in_lower_case() {
        assert_eq!(email(" Ada.Lovelace+K@Example.COM "), "ada.lovelace+k@example.com");
    }

    #[test]
    fn a_phone_number_is_its_digits_with_the_country_code() {
        for text in [
            "+525512345678",
            " 525512345678",
            "00 52 (55) 1234-5678",
            "+52\u{A0}55\u{2011}1234 5678",
            "＋５２５５１２３４５６７８",
        ] {
            assert_eq!(phone(text), "525512345678", "{text}");
        }
    }

    #[test]
    fn a_number_is_its_letters_and_digits() {
        for text in ["GODE561231GR8", "gode-561231-gr8", "ＧＯＤＥ 561231\u{200B}GR8"] {
            assert_eq!(number(text), "GODE561231GR8", "{text}");
        }
        assert_eq!(number("123-45-6789"), "123456789");
    }

    #[test]
    fn a_domain_is_the_host_of_a_site_without_www() {
        for text in ["https://www.Example.com/about?x#y", "http://example.com:8080", "example.com.", "WWW.EXAMPLE.COM"]
        {
            assert_eq!(web_domain(text).as_deref(), Some("example.com"), "{text}");
        }
        assert_eq!(web_domain("https://bücher.example").as_deref(), Some("xn--bcher-kva.example"));
        assert_eq!(web_domain("https://www.com").as_deref(), Some("www.com"));
        assert_eq!(web_domain("no host: at all"), None);
    }

    #[test]
    fn a_company_is_the_words_of_its_name() {
        assert_eq!(company("Café  Olé, S.A. de C.V."), "cafe ole s a de c v");
    }

    #[test]
    fn of_a_word_the_first_three_and_five_letters_are_indexed_or_the_whole_short_word() {
        let indexed = |word: &str| beginnings(word).collect::<Vec<_>>();
        assert_eq!(indexed("gonzalez"), ["gon", "gonza"]);
        assert_eq!(indexed("mario"), ["mar", "mario"]);
        assert_eq!(indexed("juan"), ["jua"]);
        assert_eq!(indexed("li"), ["li"]);
        assert_eq!(indexed("王"), ["王"]);
        assert_eq!(indexed("ñandúes"), ["ñan", "ñandú"]);
    }

    #[test]
    fn what_a_query_looks_up_is_indexed_of_every_word_that_it_begins() {
        for name in ["gonzalez", "gonz", "gon", "li", "x"] {
            for end in 1..=name.len() {
                let query = &name[..end];
                if end < 3 && end != name.len() {
                    continue;
                }
                let lookup = lookup_of(query).expect("a word");
                assert!(beginnings(name).any(|indexed| indexed == lookup), "{query} of {name}");
            }
        }
        assert_eq!(lookup_of(""), Some(String::new()), "no word is empty");
    }

    #[test]
    fn every_word_of_a_query_must_be_there() {
        let names: BTreeSet<String> = ["juan", "pablo", "gonzalez", "li"].map(str::to_owned).into();
        let has = |query: &str| has_words(&names, &words(query));
        assert!(has("juan gonz") && has("GONZÁLEZ") && has("li pab") && has("pablo"));
        assert!(!has("juana") && !has("ju") && !has("l") && !has("juan ana") && !has("lin"));
    }
}
