//! The primary of PostgreSQL dies under load, and its standby takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kira_users::store::Engine;
use tokio::task::JoinSet;

use crate::faults::history::History;
use crate::faults::network::LEASES_END;
use crate::harness::database::engine;
use crate::harness::program::{Setup, wait_until_async};
use crate::harness::proxy::Proxy;
use crate::harness::receiver::Receiver;
use crate::harness::replication::Replication;
use crate::harness::requests::{minimal, with_files};

/// Callers at once, and what each does before and after the failover.
const CALLERS: usize = 4;
const CHANGES: usize = 30;

/// A service on the database of `url`.
pub(crate) fn setup(url: &str) -> Setup {
    let mut setup = Setup::embedded();
    setup.set("KIRA_DATABASE_URL", url);
    setup.set("KIRA_VERIFICATION_PROVIDER", "sandbox");
    setup.set("KIRA_SANDBOX_DELAY", "0s");
    setup.set("KIRA_WEBHOOK_ALLOW", "127.0.0.0/8");
    setup.set("KIRA_DOCUMENTS_URL", &setup.data().join("documents").display().to_string());
    setup.set("KIRA_MASTER_KEYS", "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    setup
}

/// Changes until `enough` says so; how many were acknowledged is counted in `acknowledged`.
async fn change(mut history: History, enough: Arc<AtomicUsize>, acknowledged: Arc<AtomicUsize>) -> History {
    for round in 0.. {
        let is_acknowledged = match round % 3 {
            0 => history.create(&minimal()).await,
            1 => history.create(&with_files()).await,
            _ => history.update().await,
        };
        acknowledged.fetch_add(usize::from(is_acknowledged), Ordering::Relaxed);
        if acknowledged.load(Ordering::Relaxed) >= enough.load(Ordering::Relaxed) {
            break;
        }
    }
    history
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_under_load_loses_and_doubles_nothing_and_the_service_recovers_by_itself() {
    if engine() != Engine::Postgres {
        return;
    }
    let Some(servers) = Replication::start().await else { return };
    let mut proxy = Proxy::to(servers.primary.address());
    let setup = setup(&format!("postgres://postgres@{}/postgres", proxy.address()));
    setup.printed(&["migrate"]);
    let program = setup.serve();
    let (enough, acknowledged) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicUsize::new(0)));
    let (mut callers, mut receivers) = (JoinSet::new(), Vec::new());
    for _ in 0..CALLERS {
        let mut history = History::new(&program, &setup.client()).await;
        let receiver = Receiver::new().await;
        assert!(history.register(&receiver.url()).await);
        receivers.push((history.client_id().to_owned(), receiver));
        callers.spawn(change(history, Arc::clone(&enough), Arc::clone(&acknowledged)));
    }
    let count = || acknowledged.load(Ordering::Relaxed);
    wait_until_async(|| async { (count() >= CALLERS * CHANGES).then_some(()) }, "changes before the failover").await;
    // As a proxy in front of both sees it: the connections break, then there is another server.
    servers.fail_over();
    proxy.cut().await;
    proxy.lead_to(servers.standby.address());
    enough.store(count() + CALLERS * CHANGES, Ordering::Relaxed);
    let histories = callers.join_all().await;
    for due in LEASES_END {
        servers.standby.execute(due).await;
    }
    let mut users = 0;
    for mut history in histories {
        history.settle().await;
        history.check().await;
        history.check_verified().await;
        let receiver = receivers.iter().find(|(client_id, _)| client_id == history.client_id());
        history.check_events(&receiver.expect("each caller has one").1).await;
        users += history.count();
    }
    assert_eq!(
        servers.standby.text("SELECT count(*)::text FROM users").await,
        users.to_string(),
        "a key makes one user"
    );
    let keys = servers.standby.text("SELECT count(*)::text FROM idempotency_keys").await;
    assert_eq!(keys, users.to_string());
}
