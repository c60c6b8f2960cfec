//! `[auth]`: our own access tokens, and those of an outside issuer.

use std::time::Duration;

use url::Url;

use super::reader::Reader;
use super::value::OrOff;

/// Access tokens.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// Lifetime of a token from `POST /auth`; whole seconds, because JWT times are.
    pub token_lifetime: Duration,
    /// The `iss` of our own tokens.
    pub token_issuer: String,
    /// The outside issuer whose tokens are accepted too.
    pub outside_issuer: Option<OutsideIssuerConfig>,
}

/// An outside token issuer.
#[derive(Debug, Clone)]
pub struct OutsideIssuerConfig {
    /// The URL of its public keys (JWKS).
    pub jwks_url: Url,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that they must name.
    pub audience: String,
    /// The claim that holds the client id; dots descend into objects.
    pub client_id_claim: String,
}

impl AuthConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        const LIFETIME: &str = "auth.token_lifetime";
        let lifetime = reader.bounded(LIFETIME, Duration::from_secs(1), Duration::from_secs(30 * 86_400));
        if lifetime.subsec_nanos() != 0 {
            reader.refuse(LIFETIME, format!("{lifetime:?} is not a number of whole seconds"));
        }
        let token_issuer: String = reader.required("auth.token_issuer");
        let outside_issuer = OutsideIssuerConfig::read(reader);
        if outside_issuer.as_ref().is_some_and(|outside| outside.issuer == token_issuer) {
            // `iss` selects the verifier of a token, so the two must differ.
            let own = reader.key("auth.token_issuer");
            reader.refuse("auth.jwt_issuer", format!("must differ from {own}, the issuer of our own tokens"));
        }
        Self { token_lifetime: lifetime, token_issuer, outside_issuer }
    }
}

impl OutsideIssuerConfig {
    fn read(reader: &mut Reader) -> Option<Self> {
        let jwks_url = reader.required::<OrOff<Url>>("auth.jwks_url").0;
        let issuer: Option<String> = reader.optional("auth.jwt_issuer");
        let audience: Option<String> = reader.optional("auth.jwt_audience");
        let client_id_claim: String = reader.required("auth.jwt_client_id_claim");
        if client_id_claim.split('.').any(str::is_empty) {
            reader.refuse("auth.jwt_client_id_claim", "has an empty part between its dots");
        }
        if let Some(url) = &jwks_url
            && url.scheme() == "http"
            && !is_loopback(url)
        {
            // An attacker who can change the response can sign tokens for every client.
            reader.refuse("auth.jwks_url", "must be https; http is accepted from this machine alone");
        }
        for (path, given) in [("auth.jwt_issuer", issuer.is_some()), ("auth.jwt_audience", audience.is_some())] {
            let jwks = reader.key("auth.jwks_url");
            match (jwks_url.is_some(), given) {
                (true, false) => reader.refuse(path, format!("must be given with {jwks}")),
                (false, true) => reader.refuse(path, format!("has no meaning without {jwks}")),
                _ => {}
            }
        }
        Some(Self { jwks_url: jwks_url?, issuer: issuer?, audience: audience?, client_id_claim })
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
