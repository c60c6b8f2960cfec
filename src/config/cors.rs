//! `KIRA_CORS_ORIGINS`: the origins that may call the APIs from a browser.

use url::{Origin, Url};

use super::value::Value;

/// The origins that may call the REST API, and the gRPC API by gRPC-Web, from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// None: no response has CORS headers.
    Off,
    /// Every origin.
    Any,
    /// Those of these origins, each written as browsers write it: `https://app.example.com`.
    List(Vec<String>),
}

impl Value for CorsOrigins {
    const ACCEPTED: &'static str = "off, * or origins such as https://app.example.com,http://localhost:3000";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "*" => Ok(Self::Any),
            _ => text.split(',').map(|item| origin(item.trim())).collect::<Result<_, _>>().map(Self::List),
        }
    }
}

fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Err("has * beside other origins".to_owned());
    }
    let url = Url::parse(text).map_err(|_| format!("has {text:?}, which is not an origin"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("has {text:?}, which is neither http nor https"));
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    match url.origin() {
        // Browsers send no trailing slash; one in the setting is ignored.
        origin @ Origin::Tuple(..) if bare && url.password().is_none() => Ok(origin.ascii_serialization()),
        _ => Err(format!("has {text:?}, which is more than an origin")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let list = |origins: &[&str]| Ok(CorsOrigins::List(origins.iter().map(ToString::to_string).collect()));
        assert_eq!(CorsOrigins::parse("off"), Ok(CorsOrigins::Off));
        assert_eq!(CorsOrigins::parse("*"), Ok(CorsOrigins::Any));
        assert_eq!(CorsOrigins::parse("https://App.example.com/"), list(&["https://app.example.com"]));
        assert_eq!(
            CorsOrigins::parse("https://app.example.com:443, http://localhost:3000"),
            list(&["https://app.example.com", "http://localhost:3000"])
        );
    }

    #[test]
    fn what_is_no_list_of_origins_is_refused() {
        for text in [
            "app.example.com",
            "https://app.example.com,*",
            "https://app.example.com/users",
            "https://app.example.com?x=1",
            "https://kira@app.example.com",
            "ftp://app.example.com",
            "null",
            "https://*.example.com,",
            "",
        ] {
            assert!(CorsOrigins::parse(text).is_err(), "{text}");
        }
    }
}
