//! AES-256-GCM in place.
//!
//! Layout: ciphertext ‖ tag (16) ‖ nonce (12) ‖ format (1). Everything that is added is at the end, so that sealing
//! appends and opening truncates: a document of 10 MiB is never copied.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::VaultError;
use crate::env::Env;

/// How many bytes sealing adds. A buffer made with `Vec::with_capacity(length + SEAL_OVERHEAD)` is not moved by it.
pub const SEAL_OVERHEAD: usize = TAG_LEN + NONCE_LEN + 1;

/// The length of every key.
pub(super) const KEY_LEN: usize = 32;

const TAG_LEN: usize = 16;
/// The only format so far; it is part of the associated data, so it cannot be exchanged either.
const FORMAT: u8 = 1;

/// Seals `data` where it lies.
pub(super) fn seal(key: &[u8; KEY_LEN], place: &[u8], mut data: Vec<u8>, env: &dyn Env) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    env.fill_random(&mut nonce);
    data.reserve_exact(SEAL_OVERHEAD);
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(place), &mut data)
        // The only cause is a plaintext of more than 64 GiB; nothing in the service handles that much at a time.
        .expect("the plaintext is shorter than 64 GiB");
    data.extend_from_slice(&nonce);
    data.push(FORMAT);
    data
}

/// Opens `data` where it lies.
pub(super) fn open(key: &[u8; KEY_LEN], place: &[u8], mut data: Vec<u8>) -> Result<Vec<u8>, VaultError> {
    if data.len() < SEAL_OVERHEAD || data.pop() != Some(FORMAT) {
        return Err(VaultError::UnknownFormat);
    }
    let Some((_, nonce)) = data.split_last_chunk::<NONCE_LEN>() else { return Err(VaultError::UnknownFormat) };
    let nonce = Nonce::assume_unique_for_key(*nonce);
    data.truncate(data.len() - NONCE_LEN);
    let length =
        cipher(key).open_in_place(nonce, associated(place), &mut data).map_err(|_| VaultError::DoesNotOpen)?.len();
    data.truncate(length);
    Ok(data)
}

fn cipher(key: &[u8; KEY_LEN]) -> LessSafeKey {
    // The only cause of a failure is a key of another length, which the type excludes.
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

fn associated(place: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([&[FORMAT], place].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEnv;

    #[test]
    fn a_buffer_with_room_is_not_moved() {
        let mut data = Vec::with_capacity(1000 + SEAL_OVERHEAD);
        data.resize(1000, 7);
        let before = data.as_ptr();
        let sealed = seal(&[1; KEY_LEN], b"here", data, &SystemEnv::default());
        assert_eq!((sealed.as_ptr(), sealed.len()), (before, 1000 + SEAL_OVERHEAD));
        let opened = open(&[1; KEY_LEN], b"here", sealed).expect("what was sealed");
        assert_eq!((opened.as_ptr(), opened), (before, vec![7; 1000]));
    }

    #[test]
    fn the_same_data_is_sealed_differently_each_time() {
        let [first, second] = [(); 2].map(|()| seal(&[1; KEY_LEN], b"here", b"same".to_vec(), &SystemEnv::default()));
        assert_ne!(first, second);
    }

    #[test]
    fn nothing_sealed_also_opens() {
        let sealed = seal(&[1; KEY_LEN], b"here", Vec::new(), &SystemEnv::default());
        assert_eq!(open(&[1; KEY_LEN], b"here", sealed), Ok(Vec::new()));
    }
}
