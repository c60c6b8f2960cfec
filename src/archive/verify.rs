//! Verifying the archive: signatures, digests, and the chain of each client.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::manifest::{MANIFEST, Manifest, SIGNATURE, VERSION, place, sha256};
use super::{ArchiveError, Archiver};
use crate::vault::documents::{DocumentError, DocumentStore};
use crate::vault::is_signed;

/// What was verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Clients.
    pub clients: usize,
    /// Files of events.
    pub files: usize,
    /// Events.
    pub events: u64,
    /// The public keys that have signed.
    pub public_keys: Vec<String>,
    /// The SHA-256 of every manifest, in hex.
    pub manifests: BTreeSet<String>,
}

impl Archiver {
    /// Verifies the archive of this installation, and that its end is the one that the database knows. `public_key`: that
    /// of the installation, unless another is given.
    ///
    /// # Errors
    /// The first file that is broken or missing, the object store, or the database.
    pub async fn verify(&self, public_key: Option<&str>) -> Result<Verified, ArchiveError> {
        let own = self.key.public();
        let verified = verify(&self.objects, &self.objects.archive(), Some(public_key.unwrap_or(&own))).await?;
        for client in self.store.list_clients().await? {
            let Some(head) = self.store.archive_of(client.id).await? else { continue };
            // There may be more: of a run that was killed, which the next one writes again.
            if !verified.manifests.contains(&head.digest) {
                return Err(broken(&format!("client {}", client.id), "its last manifest is missing"));
            }
        }
        Ok(verified)
    }
}

/// A manifest with the key of its object and its digest.
struct Signed {
    key: String,
    manifest: Manifest,
    digest: String,
}

/// Verifies every manifest below `prefix`, and the files that they name. Only `public_key` is accepted, where it is given.
///
/// # Errors
/// The first file that is broken or missing, or the object store.
pub async fn verify(objects: &DocumentStore, prefix: &str, public_key: Option<&str>) -> Result<Verified, ArchiveError> {
    let keys: Vec<String> = objects.list_below(prefix).try_collect().await?;
    let (mut clients, mut verified) = (BTreeMap::<Uuid, Vec<Signed>>::new(), Verified::default());
    for key in keys.iter().filter(|key| key.ends_with(MANIFEST)) {
        let signed = read(objects, key, public_key).await?;
        let own = &signed.manifest.public_key;
        if !verified.public_keys.contains(own) {
            verified.public_keys.push(own.clone());
        }
        verified.events += signed.manifest.events;
        verified.manifests.insert(signed.digest.clone());
        verified.files += 1;
        clients.entry(signed.manifest.client_id).or_default().push(signed);
    }
    verified.clients = clients.len();
    for manifests in clients.values_mut() {
        manifests.sort_unstable_by_key(|signed| signed.manifest.first.position);
        check_chain(manifests)?;
    }
    Ok(verified)
}

async fn read(objects: &DocumentStore, key: &str, public_key: Option<&str>) -> Result<Signed, ArchiveError> {
    let bytes = get(objects, key).await?;
    let stem = key.strip_suffix(MANIFEST).unwrap_or(key);
    let signature = get(objects, &format!("{stem}{SIGNATURE}")).await?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).map_err(|error| broken(key, format!("it is no manifest: {error}")))?;
    if !is_signed(&bytes, &signature, public_key.unwrap_or(&manifest.public_key)) {
        return Err(broken(key, "its signature is not valid"));
    }
    if manifest.version != VERSION {
        return Err(broken(key, format!("its version {} is not known", manifest.version)));
    }
    check_file(objects, key, &manifest).await?;
    Ok(Signed { key: key.to_owned(), manifest, digest: sha256(&bytes) })
}

/// Checks the file of events that a manifest names.
async fn check_file(objects: &DocumentStore, key: &str, manifest: &Manifest) -> Result<(), ArchiveError> {
    let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = format!("{folder}/{}", manifest.file);
    let bytes = get(objects, &file).await?;
    if sha256(&bytes) != manifest.sha256 {
        return Err(broken(&file, "its SHA-256 is not that of the manifest"));
    }
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let ends = (lines.first().and_then(|line| place(line)), lines.last().and_then(|line| place(line)));
    if lines.len() as u64 != manifest.events || ends != (Some(manifest.first), Some(manifest.last)) {
        return Err(broken(&file, "its events are not those of the manifest"));
    }
    Ok(())
}

/// Checks that each manifest follows the one before.
fn check_chain(manifests: &[Signed]) -> Result<(), ArchiveError> {
    let mut previous: Option<&Signed> = None;
    for signed in manifests {
        if signed.manifest.previous.as_ref() != previous.map(|previous| &previous.digest) {
            return Err(broken(&signed.key, "the manifest before it is missing or was changed"));
        }
        if previous.is_some_and(|previous| previous.manifest.last.position >= signed.manifest.first.position) {
            return Err(broken(&signed.key, "it holds events of the manifest before it"));
        }
        previous = Some(signed);
    }
    Ok(())
}

async fn get(objects: &DocumentStore, key: &str) -> Result<Vec<u8>, ArchiveError> {
    match objects.get(key).await {
        Err(DocumentError::Missing) => Err(broken(key, "it is missing")),
        outcome => Ok(outcome?),
    }
}

fn broken(file: &str, problem: impl Into<String>) -> ArchiveError {
    ArchiveError::Broken { file: file.to_owned(), problem: problem.into() }
}
