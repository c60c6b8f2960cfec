//! The keys behind our own tokens: loaded from the directory, rotated without an outage.
//!
//! A new key is published before it signs, and an old one verifies until its last token has expired; so a
//! replica that has not reloaded yet and an outside reader of the JWKS can verify every token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use parking_lot::RwLock;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::AuthError;
use super::claims::verify_signature;
use super::directory::{Directory, DirectoryError, SigningKey};
use super::reload::ReloadGate;
use crate::env::{Env, SharedEnv};

/// How long a new key is only published before it signs: many times the interval at which replicas reload, and about
/// the time that readers of a JWKS commonly cache it.
pub const PUBLICATION_DELAY: TimeDelta = TimeDelta::minutes(10);

/// How much longer than its last token a retired key verifies, for clock skew.
const RETIREMENT_SLACK: TimeDelta = TimeDelta::minutes(5);

/// Minimum interval between reloads that tokens with unknown keys cause.
const RELOAD_SPACING: TimeDelta = TimeDelta::seconds(5);

/// The public half of a key, as the JWKS shows it (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// Key type: `OKP`.
    pub kty: &'static str,
    /// Curve: `Ed25519`.
    pub crv: &'static str,
    /// Algorithm: `EdDSA`.
    pub alg: &'static str,
    /// Use: `sig`.
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// The id that the headers of tokens name.
    pub kid: String,
    /// The public key, base64url.
    pub x: String,
}

/// What a rotation of the signing key arranged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The new key.
    pub kid: String,
    /// When it takes over.
    pub signs_from: DateTime<Utc>,
    /// When the keys before it stop verifying.
    pub others_retire_at: DateTime<Utc>,
}

/// Adds a signing key that takes over after `publication_delay`; the others verify until their last token has expired.
/// If no key is active, the new one signs at once.
///
/// # Errors
/// When the directory cannot store it.
pub async fn rotate_signing_key(
    directory: &dyn Directory,
    env: &dyn Env,
    token_lifetime: TimeDelta,
    publication_delay: TimeDelta,
) -> Result<Rotation, DirectoryError> {
    let now = env.now();
    let in_force = directory.signing_keys().await?.iter().any(|key| key.is_in_force(now));
    let signs_from = if in_force { now + publication_delay } else { now };
    let key = new_key(env, signs_from);
    let others_retire_at = signs_from + token_lifetime + RETIREMENT_SLACK;
    directory.insert_signing_key(&key, others_retire_at).await?;
    Ok(Rotation { kid: key.kid, signs_from, others_retire_at })
}

/// The signing keys as this replica knows them.
pub(super) struct OwnKeys {
    directory: Arc<dyn Directory>,
    env: SharedEnv,
    set: RwLock<Arc<KeySet>>,
    gate: ReloadGate,
    /// Whether the clock was behind all keys when the last token was signed.
    is_behind: AtomicBool,
}

#[derive(Default)]
struct KeySet {
    /// Incremented with each change of the set; tokens verified under another generation are verified again.
    generation: u64,
    /// The one that signs from the latest time first.
    keys: Vec<OwnKey>,
}

struct OwnKey {
    record: SigningKey,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// A token whose signature verified.
pub(super) struct Verified {
    pub(super) claims: Map<String, Value>,
    /// When the key that verified it stops doing so.
    pub(super) key_retires_at: Option<DateTime<Utc>>,
    /// The generation of the keys that it was verified under.
    pub(super) generation: u64,
}

impl OwnKeys {
    /// Loads the keys, after creating the first one if there is none.
    pub(super) async fn open(directory: Arc<dyn Directory>, env: SharedEnv) -> Result<Self, DirectoryError> {
        directory.ensure_first_signing_key(&new_key(env.as_ref(), env.now())).await?;
        let gate = ReloadGate::new(RELOAD_SPACING);
        let keys = Self { directory, env, set: RwLock::default(), gate, is_behind: AtomicBool::new(false) };
        keys.reload().await?;
        Ok(keys)
    }

    /// Reads the keys again; on failure the known keys remain.
    pub(super) async fn reload(&self) -> Result<(), DirectoryError> {
        let mut records = self.directory.signing_keys().await?;
        records.sort_by(|a, b| (b.signs_from, &b.kid).cmp(&(a.signs_from, &a.kid)));
        let keys: Vec<OwnKey> = records.into_iter().map(OwnKey::new).collect::<Result<_, _>>()?;
        let mut set = self.set.write();
        let unchanged = set.keys.len() == keys.len() && set.keys.iter().zip(&keys).all(|(a, b)| a.same_as(b));
        if !unchanged {
            *set = Arc::new(KeySet { generation: set.generation + 1, keys });
        }
        Ok(())
    }

    pub(super) fn generation(&self) -> u64 {
        self.current().generation
    }

    /// Signs claims with the newest key that may sign.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, AuthError> {
        let (set, now) = (self.current(), self.env.now());
        let in_force = set.keys.iter().find(|key| key.record.is_in_force(now));
        if self.is_behind.swap(in_force.is_none(), Ordering::Relaxed) != in_force.is_none() && in_force.is_none() {
            tracing::warn!("the clock is behind the start of every signing key; the newest one signs");
        }
        // A clock that was set back must not stop all logins. Replicas publish this key, too.
        let key = in_force.or_else(|| set.keys.iter().find(|key| !key.record.is_retired(now))).ok_or_else(|| {
            tracing::error!("no signing key is in force");
            AuthError::Internal
        })?;
        let header = Header { kid: Some(key.record.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &key.signing).map_err(|error| {
            tracing::error!(%error, kid = key.record.kid, "signing a token failed");
            AuthError::Internal
        })
    }

    /// Verifies a token's signature; for an unknown key the directory is read once more.
    pub(super) async fn verify(&self, token: &str, header: &Header) -> Result<Verified, AuthError> {
        let kid = header.kid.as_deref().ok_or(AuthError::InvalidToken)?;
        if header.alg != Algorithm::EdDSA {
            return Err(AuthError::InvalidToken);
        }
        let mut set = self.current();
        if set.find(kid).is_none() {
            self.look_for(kid).await?;
            set = self.current();
        }
        let key = set.find(kid).filter(|key| !key.record.is_retired(self.env.now())).ok_or(AuthError::InvalidToken)?;
        Ok(Verified {
            claims: verify_signature(token, &key.verifying, Algorithm::EdDSA)?,
            key_retires_at: key.record.retires_at,
            generation: set.generation,
        })
    }

    async fn look_for(&self, kid: &str) -> Result<(), AuthError> {
        let reload = async {
            let outcome = self.reload().await;
            outcome.map_err(AuthError::from).is_ok()
        };
        let loaded = self.gate.run(self.env.now(), || self.current().find(kid).is_some(), reload).await;
        if loaded { Ok(()) } else { Err(AuthError::Unavailable) }
    }

    /// The public halves of all keys that verify or will sign.
    pub(super) fn jwks(&self) -> Vec<Jwk> {
        let now = self.env.now();
        self.current().keys.iter().filter(|key| !key.record.is_retired(now)).map(OwnKey::jwk).collect()
    }

    fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read())
    }
}

impl KeySet {
    fn find(&self, kid: &str) -> Option<&OwnKey> {
        self.keys.iter().find(|key| key.record.kid == kid)
    }
}

impl OwnKey {
    fn new(record: SigningKey) -> Result<Self, DirectoryError> {
        // The public half is taken from the private one, so that the two cannot disagree; a public half in the row
        // that is not the same means that the row was tampered with.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&record.private_key).map_err(|_| broken(&record.kid))?;
        let public_key = pair.public_key().as_ref();
        if public_key != record.public_key {
            return Err(broken(&record.kid));
        }
        Ok(Self {
            signing: EncodingKey::from_ed_der(&record.private_key),
            verifying: DecodingKey::from_ed_der(public_key),
            record,
        })
    }

    fn same_as(&self, other: &Self) -> bool {
        self.record.kid == other.record.kid && self.record.retires_at == other.record.retires_at
    }

    fn jwk(&self) -> Jwk {
        let x = base64_simd::URL_SAFE_NO_PAD.encode_to_string(&self.record.public_key);
        Jwk { kty: "OKP", crv: "Ed25519", alg: "EdDSA", usage: "sig", kid: self.record.kid.clone(), x }
    }
}

fn broken(kid: &str) -> DirectoryError {
    DirectoryError { is_unavailable: false, source: format!("the signing key {kid} is not a key pair").into() }
}

/// A new key pair. Encoded here, because the random bytes must come from `Env`.
fn new_key(env: &dyn Env, signs_from: DateTime<Utc>) -> SigningKey {
    /// RFC 8410, section 7: the PKCS#8 prefix of the 32 private bytes.
    const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let mut private_key = Zeroizing::new(vec![0; 48]);
    private_key[..16].copy_from_slice(&PKCS8_PREFIX);
    env.fill_random(&mut private_key[16..]);
    let pair = Ed25519KeyPair::from_seed_unchecked(&private_key[16..]).expect("any 32 bytes are an Ed25519 key");
    let kid: Uuid = env.new_id();
    SigningKey {
        kid: kid.to_string(),
        public_key: pair.public_key().as_ref().to_vec(),
        private_key,
        created_at: env.now(),
        signs_from,
        retires_at: None,
    }
}
