//! A fresh database for each test: a SQLite file, or with `KIRA_TEST_DATABASE_URL` (any database of a PostgreSQL server,
//! with the right to create others) a clone of a template that is migrated once per process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use kira_users::store::{Engine, Store, StoreOptions};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use url::Url;

/// A database that is dropped with this value.
pub(crate) struct TestDatabase {
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
        Store::connect(&self.url, options).await.expect("the test database can be opened")
    }

    /// A connection beside the store, to look at what is there.
    pub(crate) async fn look(&self) -> DatabaseConnection {
        connect(&self.url).await
    }

    /// How many rows a table has.
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
        Self { url: named(&maintenance, &name).to_string(), home: Home::Server { maintenance, name } }
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

/// Which engine the tests run on.
pub(crate) fn engine() -> Engine {
    if maintenance_url().is_some() { Engine::Postgres } else { Engine::Sqlite }
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
        let store = Store::connect(url.as_str(), StoreOptions::default()).await.expect("the template can be opened");
        store.migrate().await.expect("the template can be migrated");
        // A template can be cloned only while nobody is connected to it.
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
    use kira_users::ambient::Ambient as _;
    let mut tag = [0; 4];
    kira_users::ambient::System::default().fill_random(&mut tag);
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
