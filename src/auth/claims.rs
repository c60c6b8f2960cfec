//! What our own tokens and those of an outside issuer have in common: the signature, the times, the client.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::AuthError;

/// A longer token is rejected unread; tokens of large identity providers have less than half of it.
const MAX_TOKEN_LENGTH: usize = 16 * 1024;

/// The token of an `Authorization: Bearer …` header; the scheme's case does not matter (RFC 9110).
pub(super) fn bearer(authorization: Option<&str>) -> Result<&str, AuthError> {
    let (scheme, token) = authorization.and_then(|value| value.trim().split_once(' ')).ok_or(AuthError::NoToken)?;
    let token = token.trim_start();
    match scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        true if token.len() > MAX_TOKEN_LENGTH => Err(AuthError::InvalidToken),
        true => Ok(token),
        false => Err(AuthError::NoToken),
    }
}

/// The header and the issuer of a token that is not verified yet: enough to choose who verifies it.
pub(super) fn peek(token: &str) -> Result<(Header, String), AuthError> {
    #[derive(Deserialize)]
    struct Peek {
        iss: String,
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::InvalidToken)?;
    // RFC 7515, section 4.1.11: extensions that must be understood; we understand none.
    if header.crit.as_ref().is_some_and(|extensions| !extensions.is_empty()) {
        return Err(AuthError::InvalidToken);
    }
    let peek: Peek = jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| AuthError::InvalidToken)?;
    Ok((header, peek.iss))
}

/// The claims of `token` if `key` signed it by `algorithm`. Times, issuer and audience are left to the caller: the
/// library would read the wall clock, and lets a token without `iss` or `aud` pass.
pub(super) fn verify_signature(
    token: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<Map<String, Value>, AuthError> {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let verified = jsonwebtoken::decode(token, key, &validation).map_err(|_| AuthError::InvalidToken)?;
    Ok(verified.claims)
}

/// The expiry of the token: `exp`, which it must have, with `leeway` for a clock that is not ours; `nbf` likewise.
pub(super) fn check_times(
    claims: &Map<String, Value>,
    now: DateTime<Utc>,
    leeway: TimeDelta,
) -> Result<DateTime<Utc>, AuthError> {
    if claims.contains_key("nbf") && time(claims, "nbf")? - leeway > now {
        return Err(AuthError::InvalidToken);
    }
    let until = time(claims, "exp")? + leeway;
    if now < until { Ok(until) } else { Err(AuthError::TokenExpired) }
}

/// A NumericDate (RFC 7519, section 2), which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Result<DateTime<Utc>, AuthError> {
    /// The year 9999: later times are mistakes, and could overflow when a leeway is added.
    const LATEST: f64 = 253_402_300_799.0;
    let seconds = claims.get(name).and_then(Value::as_f64).ok_or(AuthError::InvalidToken)?;
    if !(0.0..=LATEST).contains(&seconds) {
        return Err(AuthError::InvalidToken);
    }
    #[expect(clippy::cast_possible_truncation, reason = "in range, and a fraction of a second is not needed")]
    DateTime::from_timestamp(seconds as i64, 0).ok_or(AuthError::InvalidToken)
}

/// The client that the token names in the claim at `path`: a claim of that whole name (some issuers use URLs for
/// names), else the dots descend into objects.
pub(super) fn client_id(claims: &Map<String, Value>, path: &str) -> Result<Uuid, AuthError> {
    let descend = || {
        let mut parts = path.split('.');
        let first = parts.next().and_then(|part| claims.get(part));
        parts.fold(first, |value, part| value?.get(part))
    };
    let found = claims.get(path).or_else(descend);
    found.and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok()).ok_or(AuthError::NoClientId)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn a_bearer_token_is_taken_whatever_the_case_of_its_scheme() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer(Some(value)), Ok("abc"), "{value}");
        }
    }

    #[test]
    fn what_bears_no_token_is_no_token() {
        for value in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic abc"), Some("abc")] {
            assert_eq!(bearer(value), Err(AuthError::NoToken), "{value:?}");
        }
    }

    #[test]
    fn a_huge_token_is_refused_unread() {
        let huge = format!("Bearer {}", "a".repeat(MAX_TOKEN_LENGTH + 1));
        assert_eq!(bearer(Some(&huge)), Err(AuthError::InvalidToken));
    }

    #[test]
    fn the_client_id_may_lie_inside_objects() {
        let id = Uuid::from_u128(7);
        let claims =
            claims(json!({ "app": { "client": { "id": id } }, "https://id.example.com/client": id, "flat": "x" }));
        assert_eq!(client_id(&claims, "app.client.id"), Ok(id));
        assert_eq!(client_id(&claims, "https://id.example.com/client"), Ok(id));
        for path in ["app.client", "app.client.id.deeper", "flat", "absent"] {
            assert_eq!(client_id(&claims, path), Err(AuthError::NoClientId), "{path}");
        }
    }

    #[test]
    fn times_that_are_absent_or_absurd_are_refused() {
        let now = DateTime::from_timestamp(1_000, 0).expect("in range");
        for exp in [json!(null), json!("2000"), json!(-1), json!(1e300)] {
            let claims = claims(json!({ "exp": exp }));
            assert_eq!(check_times(&claims, now, TimeDelta::zero()), Err(AuthError::InvalidToken), "{exp}");
        }
    }

    #[test]
    fn leeway_widens_both_ends() {
        let now = DateTime::from_timestamp(1_000, 0).expect("in range");
        let claims = claims(json!({ "nbf": 1_020, "exp": 980.5 }));
        assert_eq!(check_times(&claims, now, TimeDelta::seconds(30)), Ok(now + TimeDelta::seconds(10)));
        assert_eq!(check_times(&claims, now, TimeDelta::seconds(10)), Err(AuthError::InvalidToken));
    }
}
