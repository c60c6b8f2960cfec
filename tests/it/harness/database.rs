//! A fresh database for each test: a SQLite file, or with `KIRA_TEST_DATABASE_URL` (any database of a PostgreSQL server,
//! with the right to create others) a clone of a template that is migrated once per process. `KIRA_TEST_ISOLATION` is
//! then the level at which its transactions run by default, such as `serializable`. `KIRA_TEST_POOLER` is the address of a
//! pooler in front of that server, such as `127.0.0.1:6432`: services go through it, what tests look at does not.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use kira_users::store::{Engine, Profile, Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;

/// All events, as a source of rows: those that have no position yet are in the outbox.
pub(crate) const ALL_EVENTS: &str = "(SELECT client_id, id, user_id, kind, sequence, payload, created_at FROM outbox \
    UNION ALL SELECT client_id, id, user_id, kind, sequence, payload, created_at FROM events) AS all_events";

/// Settings of the server that the service cannot make behind a pooler.
const BEHIND_A_POOLER: [&str; 4] = [
    "statement_timeout = '31s'",
    "lock_timeout = '10s'",
    "idle_in_transaction_session_timeout = '60s'",
    "client_connection_check_interval = '1s'",
];

/// A database that is dropped with this value.
pub(crate) struct TestDatabase {
    /// Of the service.
    url: String,
    home: Home,
}

enum Home {
    /// Kept for its deletion.
    Folder(TempDir),
    Server {
        maintenance: Url,
        name: String,
    },
}

impl TestDatabase {
    /// A database with the current schema.
    pub(crate) async fn migrated() -> Self {
        match maintenance_url() {
            None => {
                let database = Self::file();
                let store = database.store().await;
                store.migrate().await.expect("a fresh file can be migrated");
                store.close().await;
                database
            }
            Some(maintenance) => {
                let template = template(&maintenance).await;
                Self::on_server(maintenance, Some(template)).await
            }
        }
    }

    /// A database without anything in it.
    pub(crate) async fn empty() -> Self {
        match maintenance_url() {
            None => Self::file(),
            Some(maintenance) => Self::on_server(maintenance, None).await,
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The folder of a SQLite file.
    pub(crate) fn folder(&self) -> Option<&std::path::Path> {
        match &self.home {
            Home::Folder(folder) => Some(folder.path()),
            Home::Server { .. } => None,
        }
    }

    /// A store on it, with the default options.
    pub(crate) async fn store(&self) -> Store {
        self.store_with(StoreOptions::default()).await
    }

    /// A store on it.
    pub(crate) async fn store_with(&self, options: StoreOptions) -> Store {
        let options = StoreOptions { profile: profile(), ..options };
        Store::connect(&self.url, options).await.expect("the test database can be opened")
    }

    /// Where it is without a pooler.
    pub(crate) fn direct_url(&self) -> String {
        match &self.home {
            Home::Folder(_) => self.url.clone(),
            Home::Server { maintenance, name } => named(maintenance, name).to_string(),
        }
    }

    /// The settings of a service that uses it.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![("KIRA_DATABASE_URL", self.url.clone())];
        if profile() == Profile::Distributed {
            settings.push(("KIRA_DATABASE_PROFILE", "distributed".to_owned()));
        }
        if pooler().is_some() {
            settings.push(("KIRA_DATABASE_LISTEN_URL", self.direct_url()));
        }
        settings
    }

    /// A connection besides the store, to inspect rows.
    pub(crate) async fn look(&self) -> DatabaseConnection {
        connect(&self.direct_url()).await
    }

    /// A connection whose transaction locks `users` against writes until it is dropped.
    pub(crate) async fn lock_users(&self) -> DatabaseConnection {
        let connection = self.look().await;
        let statements: &[&str] = match &self.home {
            Home::Folder(_) => &["BEGIN IMMEDIATE"],
            Home::Server { .. } => &["BEGIN", "LOCK TABLE users IN EXCLUSIVE MODE"],
        };
        for statement in statements {
            connection.execute_unprepared(statement).await.expect("the lock is free");
        }
        connection
    }

    /// Makes this the isolation level of new connections that do not choose one; on PostgreSQL alone.
    pub(crate) async fn isolate(&self, level: &str) {
        if let Home::Server { maintenance, name } = &self.home {
            isolate(maintenance, name, level).await;
        }
    }

    /// How many rows a table, or another source of rows, has.
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let connection = self.look().await;
        let sql = format!("SELECT count(*) FROM {table}");
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.expect("the table exists").expect("a count is one row");
        row.try_get_by_index(0).expect("a count is a number")
    }

    fn file() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("users.db").display());
        Self { url, home: Home::Folder(folder) }
    }

    async fn on_server(maintenance: Url, template: Option<&'static str>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let group = group(&maintenance).await;
        let name = format!("{group}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let template = template.unwrap_or("template0");
        execute(&maintenance, &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"")).await;
        // A setting of a database is not cloned with it.
        if let Some(level) = std::env::var("KIRA_TEST_ISOLATION").ok().filter(|level| !level.is_empty()) {
            isolate(&maintenance, &name, &level).await;
        }
        let mut url = named(&maintenance, &name);
        if let Some(pooler) = pooler() {
            // What `docs/operations.md` sets on the role.
            for setting in BEHIND_A_POOLER {
                execute(&maintenance, &format!("ALTER DATABASE \"{name}\" SET {setting}")).await;
            }
            url.set_host(Some(&pooler.ip().to_string())).expect("an address is a host");
            url.set_port(Some(pooler.port())).expect("a URL with a host has a port");
        }
        Self { url: url.to_string(), home: Home::Server { maintenance, name } }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Home::Server { maintenance, name } = &self.home else { return };
        let (maintenance, sql) = (maintenance.clone(), format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"));
        // A runtime of its own: this may run while the test's is unwinding.
        let _ = std::thread::spawn(move || block_on(execute(&maintenance, &sql))).join();
    }
}

async fn isolate(maintenance: &Url, name: &str, level: &str) {
    execute(maintenance, &format!("ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{level}'")).await;
}

/// Which engine the tests run on.
pub(crate) fn engine() -> Engine {
    if maintenance_url().is_some() { Engine::Postgres } else { Engine::Sqlite }
}

/// Which features of PostgreSQL the tests use: `KIRA_TEST_PROFILE=distributed` for those of distributed databases.
pub(crate) fn profile() -> Profile {
    let is_distributed = std::env::var("KIRA_TEST_PROFILE").is_ok_and(|profile| profile == "distributed");
    if is_distributed { Profile::Distributed } else { Profile::Standard }
}

/// The pooler that services go through.
pub(crate) fn pooler() -> Option<SocketAddr> {
    let address = std::env::var("KIRA_TEST_POOLER").ok().filter(|address| !address.is_empty())?;
    Some(address.parse().expect("KIRA_TEST_POOLER is an address and a port"))
}

fn maintenance_url() -> Option<Url> {
    let url = std::env::var("KIRA_TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())?;
    Some(Url::parse(&url).expect("KIRA_TEST_DATABASE_URL is a URL"))
}

/// The template of this process, made by the first test that needs it.
async fn template(maintenance: &Url) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let make = || async {
        let name = format!("{}-template", group(maintenance).await);
        execute(maintenance, &format!("CREATE DATABASE \"{name}\"")).await;
        let url = named(maintenance, &name);
        let options = StoreOptions { profile: profile(), ..StoreOptions::default() };
        let store = Store::connect(url.as_str(), options).await.expect("the template can be opened");
        store.migrate().await.expect("the template can be migrated");
        // A template can be cloned only while it has no connection.
        store.close().await;
        name
    };
    TEMPLATE.get_or_init(make).await
}

/// What the names of this process's databases begin with. A connection of the same name lives as long as the process,
/// so that a later run knows which databases are left over from one that was killed, and drops those.
async fn group(maintenance: &Url) -> &'static str {
    static GROUP: OnceCell<String> = OnceCell::const_new();
    let claim = || async {
        let name = format!("kira_test_{}_{}", std::process::id(), random_tag());
        let mut keeper = maintenance.clone();
        keeper.query_pairs_mut().append_pair("application_name", &name);
        let (connected, ready) = mpsc::channel();
        std::thread::spawn(move || {
            block_on(async {
                let connection = connect(keeper.as_str()).await;
                connection.ping().await.expect("the server answers");
                connected.send(()).expect("the test waits");
                std::future::pending::<()>().await;
            });
        });
        ready.recv().expect("the PostgreSQL of KIRA_TEST_DATABASE_URL can be reached");
        drop_left_over(maintenance).await;
        name
    };
    GROUP.get_or_init(claim).await
}

async fn drop_left_over(maintenance: &Url) {
    let connection = connect(maintenance.as_str()).await;
    let sql = "SELECT datname::text FROM pg_database WHERE datname LIKE 'kira\\_test\\_%' \
               AND split_part(datname, '-', 1) NOT IN (SELECT application_name FROM pg_stat_activity)";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    for row in connection.query_all_raw(statement).await.expect("databases can be listed") {
        let name: String = row.try_get_by_index(0).expect("a name is text");
        // Another run may be dropping it as well.
        let _ = connection.execute_unprepared(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await;
    }
}

fn random_tag() -> String {
    use kira_users::env::Env as _;
    let mut tag = [0; 4];
    kira_users::env::SystemEnv::default().fill_random(&mut tag);
    format!("{:08x}", u32::from_be_bytes(tag))
}

fn named(maintenance: &Url, name: &str) -> Url {
    let mut url = maintenance.clone();
    url.set_path(name);
    url
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("the test database can be reached")
}

async fn execute(maintenance: &Url, sql: &str) {
    let connection = connect(maintenance.as_str()).await;
    connection.execute_unprepared(sql).await.expect("the statement succeeds");
    connection.close().await.expect("the connection closes");
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be built").block_on(future)
}
