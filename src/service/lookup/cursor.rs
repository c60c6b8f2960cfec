//! Cursors: the last user that was seen, bound to the client and to the filters, so that one of another list is refused.

use base64_simd::URL_SAFE_NO_PAD;
use prost::Message as _;
use uuid::Uuid;

use crate::contract::v1::ListUsersRequest;
use crate::vault::BlindIndex;

/// Separates the digests of cursors from those of values.
const PURPOSE: &str = "cursor";
/// The form of a cursor: this byte, the user's id, and a digest of both and the filters.
const FORM: u8 = 1;
const ID: usize = 16;
const DIGEST: usize = 16;

/// The cursor behind a user.
pub(super) fn after(index: &BlindIndex, client_id: Uuid, query: &ListUsersRequest, id: Uuid) -> String {
    let bytes = [[FORM].as_slice(), id.as_bytes(), &digest(index, client_id, query, id)].concat();
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// The user behind which a cursor is; none for one that was not made for this client and these filters.
pub(super) fn read(index: &BlindIndex, client_id: Uuid, query: &ListUsersRequest, cursor: &str) -> Option<Uuid> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(cursor).ok()?;
    let (FORM, rest) = bytes.split_first().map(|(form, rest)| (*form, rest))? else { return None };
    let (id, rest) = rest.split_first_chunk::<ID>()?;
    let id = Uuid::from_bytes(*id);
    (rest == digest(index, client_id, query, id)).then_some(id)
}

fn digest(index: &BlindIndex, client_id: Uuid, query: &ListUsersRequest, id: Uuid) -> [u8; DIGEST] {
    // The size of a page may change on the way.
    let filters = ListUsersRequest { limit: None, offset: None, cursor: None, ..query.clone() };
    let bytes = [id.as_bytes(), filters.encode_to_vec().as_slice()].concat();
    let mut digest = [0; DIGEST];
    digest.copy_from_slice(&index.mac(client_id, PURPOSE, &bytes)[..DIGEST]);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_client_and_its_filters_alone() {
        let (index, client, id) = (BlindIndex::new(&[7; 32]), Uuid::from_u128(1), Uuid::from_u128(2));
        let query = ListUsersRequest { email: Some("a@b.example".to_owned()), limit: Some(5), ..Default::default() };
        let cursor = after(&index, client, &query, id);
        let next = ListUsersRequest { limit: Some(50), cursor: Some(cursor.clone()), ..query.clone() };
        assert_eq!(read(&index, client, &next, &cursor), Some(id));
        assert_eq!(read(&index, Uuid::from_u128(3), &query, &cursor), None);
        let other = ListUsersRequest { q: Some("ada".to_owned()), ..query.clone() };
        assert_eq!(read(&index, client, &other, &cursor), None);
        assert_eq!(read(&BlindIndex::new(&[8; 32]), client, &query, &cursor), None);
        for damaged in ["", "x", "????", &cursor[1..], &format!("{cursor}AA"), &cursor.to_uppercase()] {
            assert_eq!(read(&index, client, &query, damaged), None, "{damaged}");
        }
    }
}
