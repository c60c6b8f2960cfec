//! Two PostgreSQL servers of the test's own: a primary, and a standby that confirms each commit before it is acknowledged.
//! They need the server's programs: in `KIRA_TEST_POSTGRES_BIN`, or where Debian installs them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tempfile::TempDir;

use super::program::wait_until_async;
use super::reserved_port::ReservedPort;

/// A primary and its synchronous standby; both end with this value.
pub(crate) struct Replication {
    pub(crate) primary: Server,
    pub(crate) standby: Server,
    _folder: TempDir,
}

impl Replication {
    /// None where the programs are missing.
    pub(crate) async fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let primary = Server::new(&programs, folder.path().join("primary"));
        run(primary
            .program("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--pgdata"])
            .arg(&primary.data));
        primary.start();
        let standby = Server::new(&programs, folder.path().join("standby"));
        let copy = standby
            .program("pg_basebackup")
            .args(["--write-recovery-conf", "--checkpoint=fast", "--pgdata"])
            .arg(&standby.data)
            .args(["--dbname", &primary.url("postgres")])
            .status();
        assert!(copy.expect("pg_basebackup runs").success());
        standby.start();
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await;
        primary.execute("SELECT pg_reload_conf()").await;
        let is_synchronous = || async {
            let state = primary.text("SELECT coalesce(max(sync_state), '') FROM pg_stat_replication").await;
            (state == "sync").then_some(())
        };
        wait_until_async(is_synchronous, "a synchronous standby").await;
        Some(Self { primary, standby, _folder: folder })
    }

    /// Ends the primary as a crash does, and makes the standby the primary.
    pub(crate) fn fail_over(&self) {
        self.primary.stop();
        run(self.standby.program("pg_ctl").args(["promote", "--wait", "--silent", "--pgdata"]).arg(&self.standby.data));
    }
}

/// A PostgreSQL server.
pub(crate) struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: ReservedPort,
}

impl Server {
    fn new(programs: &Path, data: PathBuf) -> Self {
        Self { programs: programs.to_owned(), data, port: ReservedPort::new() }
    }

    /// One of the server's programs, which refuse to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn start(&self) {
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories= -c max_connections=100",
            self.address().port()
        );
        let log = self.data.with_extension("log");
        run(self
            .program("pg_ctl")
            .args(["start", "--wait", "--silent", "--options", &options, "--log"])
            .arg(&log)
            .arg("--pgdata")
            .arg(&self.data));
    }

    /// Ends it at once, without a shutdown.
    pub(crate) fn stop(&self) {
        let _ =
            self.program("pg_ctl").args(["stop", "--mode=immediate", "--silent", "--pgdata"]).arg(&self.data).status();
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.addr()
    }

    /// The URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address())
    }

    /// A connection to the database of the service.
    pub(crate) async fn look(&self) -> DatabaseConnection {
        let mut options = sea_orm::ConnectOptions::new(self.url("postgres"));
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.expect("the server answers")
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sql: &str) {
        self.look().await.execute_unprepared(sql).await.expect("the statement succeeds");
    }

    /// The one text that a query gives.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let connection = self.look().await;
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.expect("an answer").expect("a row");
        row.try_get_by_index(0).expect("a text")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(command: &mut Command) {
    assert!(command.status().expect("the program runs").success(), "{command:?}");
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// The folder of the server's programs, of the newest version.
fn programs() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("KIRA_TEST_POSTGRES_BIN") {
        return Some(folder.into());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("pg_basebackup").exists() && folder.join("initdb").exists()).max()
}
