//! The master keys: several, of which one is active.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::VaultError;
use super::seal::{self, KEY_LEN};
use crate::env::Env;

/// The only layout so far: format (1) ‖ length of the key id (1) ‖ key id ‖ sealed.
const FORMAT: u8 = 1;
const MAX_ID_LEN: usize = 64;

/// The master keys. New data keys and secrets are wrapped by the first one; what the others wrapped still opens.
///
/// As text: entries `id:base64(32 bytes)` between commas or line ends, the first one active; blank lines and lines that
/// begin with `#` are left out. An id has 1 to 64 letters, digits, `.`, `_` or `-`.
pub struct KeyRing {
    /// Never empty.
    keys: Vec<MasterKey>,
}

struct MasterKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_LEN]>,
}

/// Why there is no key ring. Names entries by their position, never by their content.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The text holds no entry.
    #[error("there is no master key; one looks like `name:` and 32 bytes in base64")]
    Empty,
    /// An entry without a colon.
    #[error("master key {0} has no `:` between its name and its bytes")]
    NoColon(usize),
    /// An entry whose id cannot be used.
    #[error("the name of master key {0} must have 1 to {MAX_ID_LEN} letters, digits, `.`, `_` or `-`")]
    BadId(usize),
    /// An entry with the id of an earlier entry.
    #[error("master key {0} has the name of an earlier one")]
    RepeatedId(usize),
    /// An entry that is not 32 bytes in base64.
    #[error("master key {0} is not 32 bytes in base64")]
    BadKey(usize),
    /// The file cannot be read or written.
    #[error("the key file {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.ids()).finish()
    }
}

impl KeyRing {
    /// Reads the text form.
    ///
    /// # Errors
    /// The first entry that cannot be used, by its position from 1.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let entries = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split(','))
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let mut keys: Vec<MasterKey> = Vec::new();
        for (position, entry) in (1..).zip(entries) {
            let (id, encoded) = entry.split_once(':').ok_or(KeyRingError::NoColon(position))?;
            if !is_id(id) {
                return Err(KeyRingError::BadId(position));
            }
            if keys.iter().any(|key| key.id == id) {
                return Err(KeyRingError::RepeatedId(position));
            }
            let decoded = base64_simd::STANDARD.decode_to_vec(encoded).map(Zeroizing::new);
            let decoded = decoded.map_err(|_| KeyRingError::BadKey(position))?;
            let mut bytes = Zeroizing::new([0; KEY_LEN]);
            if decoded.len() != KEY_LEN {
                return Err(KeyRingError::BadKey(position));
            }
            bytes.copy_from_slice(&decoded);
            keys.push(MasterKey { id: id.to_owned(), bytes });
        }
        if keys.is_empty() { Err(KeyRingError::Empty) } else { Ok(Self { keys }) }
    }

    /// Reads a file in the text form.
    ///
    /// # Errors
    /// `File` when it cannot be read, else as `parse`.
    pub fn load_file(path: &Path) -> Result<Self, KeyRingError> {
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|source| file_error(path, source))?;
        Self::parse(&text)
    }

    /// Makes a file with one new key, readable by its owner only, and returns its ring. The folder must exist.
    ///
    /// # Errors
    /// `File` when it cannot be written, or exists: a key file is never written over.
    pub fn create_file(path: &Path, env: &dyn Env) -> Result<Self, KeyRingError> {
        let mut bytes = Zeroizing::new([0; KEY_LEN]);
        env.fill_random(bytes.as_mut_slice());
        let id = format!("k{}", env.now().format("%Y%m%d"));
        let encoded = Zeroizing::new(base64_simd::STANDARD.encode_to_string(bytes.as_slice()));
        let text = Zeroizing::new(format!(
            "# Master keys of kira-users. Without them nothing that is stored can be read: keep a copy elsewhere.\n\
             {id}:{}\n",
            encoded.as_str()
        ));
        write_new(path, &env.new_id().to_string(), text.as_bytes()).map_err(|source| file_error(path, source))?;
        Ok(Self { keys: vec![MasterKey { id, bytes }] })
    }

    /// The id of the active key.
    pub(super) fn active_id(&self) -> &str {
        // Never empty, by `parse` and `create_file`.
        &self.keys[0].id
    }

    /// The ids, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// Seals again under the active key what another key of the ring sealed for the same purpose; None: the active key has
    /// sealed it.
    pub(super) fn rewrap(&self, purpose: &[u8], wrapped: &[u8], env: &dyn Env) -> Result<Option<Vec<u8>>, VaultError> {
        if Self::id_of(wrapped)? == self.active_id() {
            return Ok(None);
        }
        let secret = self.unwrap(purpose, wrapped)?;
        Ok(Some(self.wrap(purpose, &secret, env)))
    }

    /// The id of the key that sealed this.
    pub(super) fn id_of(wrapped: &[u8]) -> Result<&str, VaultError> {
        split_header(wrapped).map(|(id, _)| id).ok_or(VaultError::UnknownFormat)
    }

    /// Seals `secret` under the active key, bound to `purpose`; the key's id is the prefix and is bound too.
    pub(super) fn wrap(&self, purpose: &[u8], secret: &[u8], env: &dyn Env) -> Vec<u8> {
        // Never empty, by `parse` and `create_file`.
        let key = &self.keys[0];
        let mut wrapped = header(&key.id);
        let sealed = seal::seal(&key.bytes, &[&wrapped, purpose].concat(), secret.to_vec(), env);
        wrapped.extend(sealed);
        wrapped
    }

    /// Opens what `wrap` sealed for the same purpose.
    pub(super) fn unwrap(&self, purpose: &[u8], wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (id, sealed) = split_header(wrapped).ok_or(VaultError::UnknownFormat)?;
        let key = self.keys.iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| VaultError::UnknownMasterKey(id.to_owned()))?;
        seal::open(&key.bytes, &[&header(id), purpose].concat(), sealed.to_vec()).map(Zeroizing::new)
    }
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn header(id: &str) -> Vec<u8> {
    // An id has at most 64 bytes.
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    [&[FORMAT, length], id.as_bytes()].concat()
}

fn split_header(wrapped: &[u8]) -> Option<(&str, &[u8])> {
    let (&[format, length], rest) = wrapped.split_first_chunk::<2>()?;
    let (id, sealed) = rest.split_at_checked(usize::from(length))?;
    let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
    (format == FORMAT).then_some((id, sealed))
}

fn file_error(path: &Path, source: io::Error) -> KeyRingError {
    KeyRingError::File { path: path.display().to_string(), source }
}

/// Writes a file that did not exist, durably. Under its name it is whole or not there at all: it is written beside, under
/// a name that ends with `suffix`, and then linked, which unlike a rename never replaces a file that came in between.
fn write_new(path: &Path, suffix: &str, content: &[u8]) -> io::Result<()> {
    let mut beside = path.to_owned();
    beside.add_extension(suffix);
    let written = write_durably(&beside, content).and_then(|()| std::fs::hard_link(&beside, path));
    // It is only a second name now, or what a failure left; the first error is the one to report.
    let removed = std::fs::remove_file(&beside);
    written.and(removed).and_then(|()| sync_folder_of(path))
}

fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Makes the name of a new file as durable as its content; only Unix has a way to.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::SystemEnv;

    fn entry(id: &str) -> String {
        format!("{id}:{}", base64_simd::STANDARD.encode_to_string([7; 32]))
    }

    fn refusal(text: &str) -> String {
        KeyRing::parse(text).expect_err("a bad ring").to_string()
    }

    #[test]
    fn keys_stand_between_commas_or_on_lines_and_the_first_is_active() {
        let text = format!("# ours\n\n{}, {}\r\n  {}\n", entry("b"), entry("a"), entry("c.1_x-Y"));
        let ring = KeyRing::parse(&text).expect("a good ring");
        assert_eq!(ring.ids().collect::<Vec<_>>(), ["b", "a", "c.1_x-Y"]);
    }

    #[test]
    fn a_bad_entry_is_named_by_its_position_and_never_shown() {
        let good = entry("a");
        assert!(refusal("").contains("no master key"));
        assert!(refusal("# only a comment\n,\n").contains("no master key"));
        assert_eq!(refusal(&format!("{good},c2VjcmV0")), "master key 2 has no `:` between its name and its bytes");
        assert_eq!(refusal(&format!("{good},{good}")), "master key 2 has the name of an earlier one");
        assert!(refusal(&format!("{good},{}", entry(""))).starts_with("the name of master key 2"));
        assert!(refusal(&entry(&"x".repeat(65))).starts_with("the name of master key 1"));
        for bytes in ["c2VjcmV0", "not base64!", ""] {
            assert_eq!(refusal(&format!("a:{bytes}")), "master key 1 is not 32 bytes in base64");
        }
    }

    #[test]
    fn a_new_key_file_is_its_owners_only_and_reads_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.keys");
        let made = KeyRing::create_file(&path, &SystemEnv::default()).expect("a new file");
        let read = KeyRing::load_file(&path).expect("the same file");
        assert_eq!(made.keys[0].bytes, read.keys[0].bytes);
        assert!(made.ids().eq(read.ids()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_key_file_is_never_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.keys");
        std::fs::write(&path, entry("precious")).expect("a file");
        assert!(matches!(KeyRing::create_file(&path, &SystemEnv::default()), Err(KeyRingError::File { .. })));
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), entry("precious"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing else is left");
    }

    #[test]
    fn a_key_file_is_whole_as_soon_as_it_is_there() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("master.keys");
            std::thread::scope(|scope| {
                scope.spawn(|| KeyRing::create_file(&path, &SystemEnv::default()).expect("a new file"));
                while !path.exists() {
                    std::hint::spin_loop();
                }
                KeyRing::load_file(&path).expect("a whole file");
            });
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("nowhere");
        let error = KeyRing::load_file(&path).expect_err("no file").to_string();
        assert!(error.contains("nowhere"), "{error}");
    }
}
