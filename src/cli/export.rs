//! `export`: the users of a client and their files, in a folder.
//!
//! A page of users is written, then noted: an export that was stopped goes on behind the last page that was noted. The
//! names of the folder are those of a whole export only at its end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use ring::digest::{Context, SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::import::EXPORTED;
use super::output::{print_line, time};
use super::{Failure, failure};
use crate::env::Env;
use crate::service::export::{ExportedUser, Exporter};

/// The users, one line each: what `import` reads.
const USERS: &str = "users.jsonl";
/// The SHA-256 of every other file of a whole export, as `sha256sum -c` reads it.
const SUMS: &str = "SHA256SUMS";
/// How far an export that is not whole has come.
const PROGRESS: &str = "export.progress";
const PARTIAL: &str = ".part";
/// How often a user whose documents change in the meantime is read.
const TRIES: u32 = 5;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The client whose users are exported
    #[arg(long, value_name = "ID")]
    pub(super) client: Uuid,
    /// One user only
    #[arg(long, value_name = "ID")]
    user: Option<Uuid>,
    /// The folder to write to; it is made, and must be empty or have an export of the same users that was stopped
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// How far an export has come.
#[derive(Debug, Deserialize, Serialize)]
struct Progress {
    client_id: Uuid,
    user_id: Option<Uuid>,
    /// The last user that is written whole.
    after: Option<Uuid>,
    /// Bytes of the two lists that are sure.
    users_bytes: u64,
    sums_bytes: u64,
    users: u64,
    files: u64,
}

impl ExportArgs {
    /// Writes the export, or what was left of it.
    pub(super) async fn run(self, exporter: Exporter, env: &dyn Env) -> Result<(), Failure> {
        let mut export = Export::open(&self)?;
        match self.user {
            Some(id) => {
                if export.progress.after.is_none() {
                    let user = exporter.find(self.client, id).await.map_err(failure)?;
                    let user = user.ok_or_else(|| format!("the client has no user {id}"))?;
                    export.page(&exporter, vec![user]).await?;
                }
            }
            None => loop {
                let page = exporter.page(self.client, export.progress.after).await.map_err(failure)?;
                if page.is_empty() {
                    break;
                }
                export.page(&exporter, page).await?;
            },
        }
        let Progress { users, files, .. } = export.finish()?;
        let at = time(env.now());
        print_line(format!("{users} user(s) and {files} file(s) are in {} as of {at}.", self.folder.display()))?;
        Ok(())
    }
}

/// An export at work.
struct Export {
    folder: PathBuf,
    users: File,
    sums: File,
    progress: Progress,
}

impl Export {
    fn open(arguments: &ExportArgs) -> Result<Self, Failure> {
        let ExportArgs { client, user, folder } = arguments;
        let told = |error: io::Error| format!("cannot write to {}: {error}", folder.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told)?;
        let progress = match fs::read(folder.join(PROGRESS)) {
            Ok(text) => {
                let progress: Progress = serde_json::from_slice(&text).map_err(|_| {
                    format!("{} cannot be read: remove the folder to start again", folder.join(PROGRESS).display())
                })?;
                if (progress.client_id, progress.user_id) != (*client, *user) {
                    return Err(format!("{} has an export of others that was stopped", folder.display()).into());
                }
                progress
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if fs::read_dir(folder).map_err(told)?.next().is_some() {
                    return Err(format!("{} is not empty", folder.display()).into());
                }
                let (client_id, user_id) = (*client, *user);
                Progress { client_id, user_id, after: None, users_bytes: 0, sums_bytes: 0, users: 0, files: 0 }
            }
            Err(error) => return Err(told(error).into()),
        };
        let open = |name: &str, length: u64| {
            let (partial, whole) = (folder.join(format!("{name}{PARTIAL}")), folder.join(name));
            // It was stopped while it gave the lists their names.
            if whole.exists() {
                fs::rename(whole, &partial)?;
            }
            let mut file = private().truncate(false).open(partial)?;
            if file.metadata()?.len() < length {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} is shorter than it was")));
            }
            // What follows was not noted.
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
            Ok(file)
        };
        let users = open(USERS, progress.users_bytes).map_err(told)?;
        let sums = open(SUMS, progress.sums_bytes).map_err(told)?;
        let export = Self { folder: folder.clone(), users, sums, progress };
        export.note()?;
        Ok(export)
    }

    /// Writes users and their files, and notes that they are written.
    async fn page(&mut self, exporter: &Exporter, users: Vec<ExportedUser>) -> Result<(), Failure> {
        let (mut lines, mut sums) = (Vec::new(), String::new());
        for user in users {
            self.progress.after = Some(user.id);
            let Some(user) = self.files(exporter, user, &mut sums).await? else { continue };
            self.progress.users += 1;
            self.progress.files += user.files.len() as u64;
            lines.extend(line(user)?);
        }
        self.users.write_all(&lines)?;
        self.sums.write_all(sums.as_bytes())?;
        self.users.sync_all()?;
        self.sums.sync_all()?;
        self.progress.users_bytes += lines.len() as u64;
        self.progress.sums_bytes += sums.len() as u64;
        self.note()
    }

    /// Writes the files of a user. One whose documents have changed since is read again; none where it is gone.
    async fn files(
        &self,
        exporter: &Exporter,
        mut user: ExportedUser,
        sums: &mut String,
    ) -> Result<Option<ExportedUser>, Failure> {
        for _ in 0..TRIES {
            let mut written = String::new();
            let mut is_whole = true;
            for file in &user.files {
                let Some(content) = exporter.content(&user, file).await.map_err(failure)? else {
                    is_whole = false;
                    break;
                };
                if hex::encode(digest(&SHA256, &content)) != file.sha256 {
                    return Err(format!("the content of the document {} is not what was stored", file.id).into());
                }
                self.write(&file.path, &content)?;
                written.push_str(&format!("{}  {}\n", file.sha256, file.path));
            }
            if is_whole {
                sums.push_str(&written);
                return Ok(Some(user));
            }
            match exporter.find(self.progress.client_id, user.id).await.map_err(failure)? {
                Some(again) => user = again,
                None => return Ok(None),
            }
        }
        Err(format!("the documents of the user {} change all the time", user.id).into())
    }

    /// Writes a file whole or not at all.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let partial = self.folder.join(format!("{name}{PARTIAL}"));
        let mut file = private().truncate(true).open(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(partial, path)
    }

    /// Notes how far the export has come.
    fn note(&self) -> Result<(), Failure> {
        Ok(self.write(PROGRESS, &serde_json::to_vec(&self.progress)?)?)
    }

    /// Gives the lists the names of a whole export.
    fn finish(self) -> Result<Progress, Failure> {
        let Self { folder, mut sums, progress, .. } = self;
        let partial = |name: &str| folder.join(format!("{name}{PARTIAL}"));
        // An export that was stopped between these steps takes them again.
        sums.set_len(progress.sums_bytes)?;
        sums.seek(SeekFrom::Start(progress.sums_bytes))?;
        writeln!(sums, "{}  {USERS}", sum_of(&partial(USERS))?)?;
        sums.sync_all()?;
        fs::rename(partial(SUMS), folder.join(SUMS))?;
        fs::rename(partial(USERS), folder.join(USERS))?;
        fs::remove_file(folder.join(PROGRESS))?;
        File::open(&folder)?.sync_all()?;
        Ok(progress)
    }
}

/// A file that only its owner can read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// The SHA-256 of a file, piece by piece.
fn sum_of(path: &Path) -> io::Result<String> {
    struct Sum(Context);

    impl io::Write for Sum {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.update(piece);
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut sum = Sum(Context::new(&SHA256));
    io::copy(&mut File::open(path)?, &mut sum)?;
    Ok(hex::encode(sum.0.finish()))
}

/// The line of a user. Its own id is the idempotency key: a user that is imported once into a place is not made twice.
fn line(user: ExportedUser) -> Result<Vec<u8>, serde_json::Error> {
    let ExportedUser { id, mut body, record, .. } = user;
    body.insert("idempotency_key".to_owned(), json!(id));
    body.insert(EXPORTED.to_owned(), record);
    let mut line = serde_json::to_vec(&body)?;
    line.push(b'\n');
    Ok(line)
}
