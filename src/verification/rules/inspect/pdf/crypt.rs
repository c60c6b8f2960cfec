//! The standard security handler (ISO 32000-2, 7.6.4), opened with the empty user password.
//!
//! Banks protect statements against changes with an owner password only: every reader opens those without asking. RC4
//! and MD5 are what the format prescribes up to its version 1.7; nothing here is kept secret by them.

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use md5::{Digest, Md5};
use rc4::{KeyInit, Rc4, StreamCipher};
use ring::digest;

use super::object::{Id, Object};

/// The padding of the empty password (algorithm 2, step a).
const PADDING: [u8; 32] = [
    0x28, 0xBF, 0x4E, 0x5E, 0x4E, 0x75, 0x8A, 0x41, 0x64, 0x00, 0x4E, 0x56, 0xFF, 0xFA, 0x01, 0x08, 0x2E, 0x2E, 0x00,
    0xB6, 0xD0, 0x68, 0x3E, 0x80, 0x2F, 0x0C, 0xA9, 0xFE, 0x64, 0x53, 0x69, 0x7A,
];

/// How streams are encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Identity,
    Rc4,
    Aes128,
    Aes256,
}

/// What turns encrypted streams into plain ones.
pub(super) struct Decryptor {
    key: Vec<u8>,
    method: Method,
}

impl Decryptor {
    /// Derives the key of a file from the empty password; none where the password is another, or the security handler
    /// is not the standard one.
    pub(super) fn open(dictionary: &Object, id: &[u8]) -> Option<Self> {
        if !dictionary.get("Filter")?.is_name("Standard") {
            return None;
        }
        let method = method(dictionary)?;
        let revision = dictionary.get("R")?.size()?;
        let key = match revision {
            2..=4 => legacy_key(dictionary, revision, id)?,
            5 | 6 => current_key(dictionary, revision)?,
            _ => return None,
        };
        Some(Self { key, method })
    }

    /// The plain content of a stream; none where it is too short to be one.
    pub(super) fn decrypt(&self, id: Id, content: &[u8]) -> Option<Vec<u8>> {
        match self.method {
            Method::Identity => Some(content.to_vec()),
            Method::Rc4 => rc4(&self.object_key(id, b""), content.to_vec()),
            Method::Aes128 => aes_cbc::<cbc::Decryptor<Aes128>>(&self.object_key(id, b"sAlT"), content),
            Method::Aes256 => aes_cbc::<cbc::Decryptor<Aes256>>(&self.key, content),
        }
    }

    /// The key of one object (algorithm 1).
    fn object_key(&self, id: Id, salt: &[u8]) -> Vec<u8> {
        let hash = Md5::new()
            .chain_update(&self.key)
            .chain_update(&id.number.to_le_bytes()[..3])
            .chain_update(id.generation.to_le_bytes())
            .chain_update(salt)
            .finalize();
        hash[..(self.key.len() + 5).min(16)].to_vec()
    }
}

/// How streams are encrypted; none where it is unknown.
fn method(dictionary: &Object) -> Option<Method> {
    match dictionary.get("V")?.size()? {
        1 | 2 => return Some(Method::Rc4),
        4 | 5 => {}
        _ => return None,
    }
    let Some(Object::Name(name)) = dictionary.get("StmF") else { return Some(Method::Identity) };
    if name == b"Identity" {
        return Some(Method::Identity);
    }
    let filter = dictionary.get("CF")?.get(std::str::from_utf8(name).ok()?)?.get("CFM")?;
    let methods =
        [("None", Method::Identity), ("V2", Method::Rc4), ("AESV2", Method::Aes128), ("AESV3", Method::Aes256)];
    methods.into_iter().find(|(name, _)| filter.is_name(name)).map(|(_, method)| method)
}

/// The key of revisions 2 to 4, if the empty password is the user's (algorithms 2, 4 and 5).
fn legacy_key(dictionary: &Object, revision: usize, id: &[u8]) -> Option<Vec<u8>> {
    let owner = dictionary.get("O")?.text()?.get(..32)?;
    let user = dictionary.get("U")?.text()?;
    // Some programs write the 32 bits as a positive number.
    let permissions = dictionary.get("P")?.integer()? as u32;
    let bits = match dictionary.get("Length").and_then(Object::size) {
        _ if revision == 2 => 40,
        // In version 4 the length is in the crypt filter, and is 128.
        _ if revision == 4 => 128,
        bits => bits.unwrap_or(40),
    };
    let length = (bits / 8).clamp(5, 16);
    let metadata_is_plain = matches!(dictionary.get("EncryptMetadata"), Some(Object::Boolean(false)));
    let mut hash = Md5::new()
        .chain_update(PADDING)
        .chain_update(owner)
        .chain_update(permissions.to_le_bytes())
        .chain_update(id)
        .chain_update(if revision >= 4 && metadata_is_plain { &[0xFF; 4][..] } else { &[] })
        .finalize();
    if revision == 2 {
        let key = hash[..length].to_vec();
        return (rc4(&key, PADDING.to_vec())? == user.get(..32)?).then_some(key);
    }
    for _ in 0..50 {
        hash = Md5::digest(&hash[..length]);
    }
    let key = hash[..length].to_vec();
    let mut proof = Md5::new().chain_update(PADDING).chain_update(id).finalize().to_vec();
    for round in 0..20 {
        let round_key: Vec<u8> = key.iter().map(|byte| byte ^ round).collect();
        proof = rc4(&round_key, proof)?;
    }
    (proof == user.get(..16)?).then_some(key)
}

/// The key of revisions 5 and 6, if the empty password is the user's (algorithm 2.A).
fn current_key(dictionary: &Object, revision: usize) -> Option<Vec<u8>> {
    let user = dictionary.get("U")?.text()?;
    let (proof, validation_salt, key_salt) = (user.get(..32)?, user.get(32..40)?, user.get(40..48)?);
    let hash = |salt: &[u8]| {
        let first = digest::digest(&digest::SHA256, salt).as_ref().to_vec();
        if revision == 6 { hardened(first) } else { Some(first) }
    };
    if hash(validation_salt)? != proof {
        return None;
    }
    let encrypted = dictionary.get("UE")?.text()?.get(..32)?;
    let decryptor = cbc::Decryptor::<Aes256>::new_from_slices(&hash(key_salt)?, &[0; 16]).ok()?;
    decryptor.decrypt_padded_vec::<NoPadding>(encrypted).ok()
}

/// The hash of revision 6 for the empty password (algorithm 2.B).
fn hardened(first: Vec<u8>) -> Option<Vec<u8>> {
    let mut key = first;
    for round in 0_u32.. {
        let input = key.repeat(64);
        let encryptor = cbc::Encryptor::<Aes128>::new_from_slices(&key[..16], &key[16..32]).ok()?;
        let encrypted = encryptor.encrypt_padded_vec::<NoPadding>(&input);
        // The remainder of the first sixteen bytes as one number: 256 is 1 modulo 3.
        let remainder = encrypted[..16].iter().map(|byte| u32::from(*byte)).sum::<u32>() % 3;
        let algorithm = [&digest::SHA256, &digest::SHA384, &digest::SHA512][remainder as usize];
        key = digest::digest(algorithm, &encrypted).as_ref().to_vec();
        let last = u32::from(*encrypted.last()?);
        if round >= 63 && last <= round + 1 - 32 {
            break;
        }
    }
    key.truncate(32);
    Some(key)
}

fn rc4(key: &[u8], mut content: Vec<u8>) -> Option<Vec<u8>> {
    Rc4::new_from_slice(key).ok()?.try_apply_keystream(&mut content).ok()?;
    Some(content)
}

/// Decrypts what follows the initialisation vector. The padding stays: what reads the content knows where it ends.
fn aes_cbc<D: KeyIvInit + BlockModeDecrypt>(key: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let (vector, blocks) = content.split_at_checked(16)?;
    let whole = blocks.len() / 16 * 16;
    D::new_from_slices(key, vector).ok()?.decrypt_padded_vec::<NoPadding>(&blocks[..whole]).ok()
}
