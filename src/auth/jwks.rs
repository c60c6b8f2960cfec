//! The keys of an outside issuer, out of its JWKS (RFC 7517).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Shorter RSA keys can be broken, and longer ones make every signature check slow.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key that can verify tokens.
pub(super) struct OutsideKey {
    kid: Option<String>,
    /// The algorithms that fit the key; never a symmetric one, whose "public" key could sign.
    algorithms: Vec<Algorithm>,
    pub(super) verifying: DecodingKey,
}

impl OutsideKey {
    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }

    /// The usable keys of a JWKS document. Other keys are skipped: issuers publish those too.
    pub(super) fn read_all(document: &[u8]) -> Result<Vec<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(document)?;
        let parsed = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(parsed.filter_map(|jwk| Self::read(&jwk)).collect())
    }

    fn read(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
            return None;
        }
        let mut algorithms = fitting_algorithms(&jwk.algorithm)?;
        if let Some(named) = jwk.common.key_algorithm {
            let named: Algorithm = named.to_string().parse().ok()?;
            algorithms.retain(|algorithm| *algorithm == named);
        }
        let verifying = DecodingKey::from_jwk(jwk).ok()?;
        (!algorithms.is_empty()).then_some(Self { kid: jwk.common.key_id.clone(), algorithms, verifying })
    }
}

/// The key that a token's header selects; without a `kid` the set must have exactly one key.
pub(super) fn find<'a>(keys: &'a [OutsideKey], kid: Option<&str>) -> Option<&'a OutsideKey> {
    match (kid, keys) {
        (Some(kid), _) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

fn fitting_algorithms(parameters: &AlgorithmParameters) -> Option<Vec<Algorithm>> {
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            let bytes = decoded(&rsa.n)?.into_iter().skip_while(|byte| *byte == 0).count();
            RSA_MODULUS_BYTES.contains(&bytes).then(|| {
                use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
                vec![RS256, RS384, RS512, PS256, PS384, PS512]
            })
        }
        AlgorithmParameters::EllipticCurve(ec) => match ec.curve {
            EllipticCurve::P256 => Some(vec![Algorithm::ES256]),
            EllipticCurve::P384 => Some(vec![Algorithm::ES384]),
            _ => None,
        },
        // The library does not check the length.
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            (decoded(&okp.x)?.len() == 32).then(|| vec![Algorithm::EdDSA])
        }
        _ => None,
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::claims::verify_signature;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    /// The modulus of a 2,048 bit RSA key, whose private half is gone.
    const MODULUS: &str = concat!(
        "t3wySc9JXn2vlOSAp8j0qE8GJRi3OKuRvbE3Qp1J_qzv05Ivup4tRrlPK_wrGAarSrXgiso2mz0qGUY__UZUAaaLSeB1rt_c3KuE",
        "rzXhFcbPNaHPPFbEgMD7oDe0QZ_BnPKYw3IogW9kptaztMI-CnDduG31fdX_QQRJ9BFVBb7drwOBspXUPmyvzOrQKweeaZs8Nxe-",
        "IcanLjGsWr-ad0G71O8ZFLSJnXzVP4WUn06gRJSuh8WC1rPVb1yBOKfZV_1wVX_ZTwqOJVBbnahxvWMZbzFmBeRQvbN8TfRDPr5G",
        "exQ6_vam4InsxOedW2yLQwk89hoRnkqRZOoFZaw9Zw",
    );
    /// `{"sub":"x"}`, signed by that key.
    const RS256: &str = concat!(
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJzdWIiOiJ4In0.CH0BurFQPYfPitG4J6sSFSE3_eYpr0EKXDr4L8qjJ3n8SOn_0",
        "bSU8zbLJedYG__NzPzG1oOzSogQFV8fC5aF3A_Sr9g6p0uzN2JaMGyLh7mwN31Thlu6YiPNDLoDqBnsK_jT3IJX_zRUyrs2skGd1",
        "STdHzupFkVkG78VXylOp6q0gS8rfuS61QwnSwzCtga8Jk4uGf3U5GD6s3oBG0mIKDmrf7jUf1spqxMKmmEAk-8bU80coXK5XPzGM",
        "ToeTS8OT1tdy3JQGuHnLYjXmEbhguNcgShOd0Cg8UIIS5ybXiHqSzmM4MaitJHgSOBflekOk_RNPyHqgmFJkcRvcMH2mw",
    );
    /// The same by the other padding.
    const PS256: &str = concat!(
        "eyJhbGciOiJQUzI1NiIsImtpZCI6InIifQ.eyJzdWIiOiJ4In0.QF0L59J_7H-vReCO10OfhGIyQ1JhTCaQnl3xrcPRmZHd8A9d-",
        "RJaSvH9Wxi9tlhhBnghjJjgD7Q1HRY1oTUeQITPso-Lt9z5LHmQK_ZSoK__GDqr4KT3Xiq_ncSGO57sfUlQjdkqnuuVJcYsWfZuN",
        "zQLCa3VS9ebXg3xkPGKH9XP4cSmt83-oW_jC8VO2mlDhlpaIA3EQ8vIBb9Dy4So08I9wdcapBcSL-VP1j1UY8ZPMDd1JGLkwmZgK",
        "gE6iLxHNWIdN_oyNO0C7bib0QyKyNn4nMmn5OlhZwka74od7rmaZrFvY17JOww7NB7DRmzyFEn1Z8lb8nX0Zx6qlJCCVg",
    );

    fn keys(document: Value) -> Vec<OutsideKey> {
        OutsideKey::read_all(document.to_string().as_bytes()).expect("is a JWKS")
    }

    #[test]
    fn keys_of_other_kinds_are_passed_over() {
        let modulus = |bytes: usize| base64_simd::URL_SAFE_NO_PAD.encode_to_string(vec![0xc1; bytes]);
        let found = keys(json!({ "keys": [
            { "kty": "oct", "kid": "symmetric", "k": "c2VjcmV0" },
            { "kty": "oct", "kid": "symmetric 2", "k": "c2VjcmV0", "alg": "HS256" },
            { "kty": "OKP", "kid": "agreement", "crv": "X25519", "x": X },
            { "kty": "OKP", "kid": "short", "crv": "Ed25519", "x": "AAAA" },
            { "kty": "OKP", "kid": "encryption", "crv": "Ed25519", "x": X, "use": "enc" },
            { "kty": "OKP", "kid": "contradiction", "crv": "Ed25519", "x": X, "alg": "RS256" },
            { "kty": "RSA", "kid": "weak", "n": modulus(128), "e": "AQAB" },
            { "kty": "new", "kid": "unheard of" },
            { "kty": "OKP", "kid": "good", "crv": "Ed25519", "x": X, "use": "sig", "alg": "EdDSA" },
            { "kty": "RSA", "kid": "strong", "n": modulus(256), "e": "AQAB" },
        ] }));
        let kids: Vec<_> = found.iter().filter_map(|key| key.kid.as_deref()).collect();
        assert_eq!(kids, ["good", "strong"]);
    }

    #[test]
    fn a_key_allows_the_algorithm_that_it_names_alone() {
        let modulus = base64_simd::URL_SAFE_NO_PAD.encode_to_string(vec![0xc1; 256]);
        let found = keys(json!({ "keys": [{ "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "PS256" }] }));
        assert!(found[0].allows(Algorithm::PS256) && !found[0].allows(Algorithm::RS256));
        assert!(!found[0].allows(Algorithm::HS256));
    }

    #[test]
    fn without_a_key_id_there_must_be_one_key_alone() {
        let one = keys(json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": X }] }));
        assert!(find(&one, None).is_some());
        let two = keys(json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "x": X },
            { "kty": "OKP", "crv": "Ed25519", "x": X, "kid": "b" },
        ] }));
        assert!(find(&two, None).is_none() && find(&two, Some("b")).is_some());
    }

    #[test]
    fn rsa_tokens_verify_with_either_padding() {
        let found = keys(json!({ "keys": [{ "kty": "RSA", "kid": "r", "n": MODULUS, "e": "AQAB" }] }));
        for (token, algorithm) in [(RS256, Algorithm::RS256), (PS256, Algorithm::PS256)] {
            assert!(found[0].allows(algorithm));
            assert!(verify_signature(token, &found[0].verifying, algorithm).is_ok(), "{algorithm:?}");
            let tampered = token.replace(".eyJ", ".eyI");
            assert!(verify_signature(&tampered, &found[0].verifying, algorithm).is_err(), "{algorithm:?}");
        }
    }
}
