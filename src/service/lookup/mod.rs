//! Finding users by their values: what the index has of a user, lists and searches, and external ids that are unique.

mod cursor;
mod external_ids;
mod list;
pub mod rebuild;
mod search;

use std::collections::BTreeSet;

use uuid::Uuid;

pub(super) use self::external_ids::{external_id_taken, with_warning};
use crate::profile::{self, Profile};
use crate::store::INDEX_VERSION;
use crate::store::{IndexChange, UserRecord};
use crate::vault::BlindIndex;

/// What the index has of a user: digests of its values.
pub(super) fn digests(index: &BlindIndex, client_id: Uuid, profile: &Profile) -> BTreeSet<Uuid> {
    let digest = |(purpose, value): (crate::domain::lookup::Purpose, String)| {
        index.digest(client_id, purpose.label(), value.as_bytes())
    };
    profile::lookup::entries(profile).into_iter().map(digest).collect()
}

/// What a change of a stored profile changes in the index.
pub(super) fn change(index: &BlindIndex, row: &UserRecord, before: &Profile, after: &Profile) -> IndexChange {
    let new = digests(index, row.client_id, after);
    // Entries of another version are not the program's to change: the user gets all that are of this one.
    let old = if row.index_version == INDEX_VERSION { digests(index, row.client_id, before) } else { BTreeSet::new() };
    IndexChange {
        removed: old.difference(&new).copied().collect(),
        added: new.difference(&old).copied().collect(),
        ..IndexChange::default()
    }
}
