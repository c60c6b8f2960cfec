//! The whole program under load, as a user starts it: CPU time a request over both protocols, a large file, creates a
//! second, start, memory, size. Figures are of the server's process; what they are compared with runs in turn with it.
//!
//! `cargo bench --bench load`; with `KIRA_TEST_DATABASE_URL` also creates on PostgreSQL beside pgbench.

#![expect(clippy::print_stdout, reason = "the figures are the purpose")]

mod beside;
mod server;

use std::path::Path;
use std::time::Instant;

use beside::{ROUND, TASKS};
use sea_orm::{ConnectionTrait, Database};
use server::{Program, Session, median};
use url::Url;

const ROUNDS: usize = 3;
/// Creates with a large file that one figure is made of: CPU time is counted in steps of 10 ms.
const FILES: u32 = 20;
const MIB: f64 = 1024.0 * 1024.0;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on disk");
    start(folder.path()).await;
    listeners(folder.path()).await;
    large_file(folder.path()).await;
    sqlite(folder.path()).await;
    if let Ok(url) = std::env::var("KIRA_TEST_DATABASE_URL") {
        postgres(&Url::parse(&url).expect("a URL"), folder.path()).await;
    }
}

/// Start to ready on a migrated file, memory at rest, size on disk.
async fn start(folder: &Path) {
    drop(Program::start(folder, &[]).await);
    let mut times = Vec::new();
    let mut memory = 0.0;
    for _ in 0..5 {
        let begin = Instant::now();
        let program = Program::start(folder, &[]).await;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        memory = program.memory("VmRSS") / MIB;
    }
    println!("start to ready:         {:>8.1} ms (target below 200)", median(&mut times));
    println!("memory at rest:         {memory:>8.1} MiB (target below 40)");
    println!("binary:                 {:>8.1} MB (target below 40)", Program::size() / 1e6);
}

/// CPU time a request, REST over HTTP/1.1 against native gRPC.
async fn listeners(folder: &Path) {
    let program = Program::start(folder, &[]).await;
    let session = Session::open(&program).await;
    let user = session.create().await;
    let mut rows = [("GET", Vec::new(), Vec::new()), ("create", Vec::new(), Vec::new())];
    for _ in 0..ROUNDS {
        for (name, rest, grpc) in &mut rows {
            rest.push(
                cost(&program, &session, async |session| {
                    if *name == "GET" { session.rest_get(&user).await } else { session.rest_create().await }
                })
                .await,
            );
            grpc.push(
                cost(&program, &session, async |session| {
                    if *name == "GET" { session.grpc_get(&user).await } else { session.grpc_create().await }
                })
                .await,
            );
        }
    }
    for (name, mut rest, mut grpc) in rows {
        let (rest, grpc) = (median(&mut rest), median(&mut grpc));
        println!(
            "{name:<7} REST / gRPC:     {rest:>8.1} / {grpc:.1} us CPU a request, ratio {:.2} (target 1)",
            rest / grpc
        );
    }
}

/// The server's CPU time of one call, in microseconds, under a load of 32 at a time.
async fn cost(program: &Program, session: &Session, call: impl AsyncFn(&Session)) -> f64 {
    let before = program.cpu_seconds();
    let count = under_load(session, call).await;
    (program.cpu_seconds() - before) * 1e6 / count
}

/// Calls for one round, 32 at a time; how many were answered.
async fn under_load(session: &Session, call: impl AsyncFn(&Session)) -> f64 {
    let begin = Instant::now();
    let loops = (0..TASKS).map(async |_| {
        let mut count = 0.0;
        while begin.elapsed() < ROUND {
            call(session).await;
            count += 1.0;
        }
        count
    });
    futures_util::future::join_all(loops).await.into_iter().sum()
}

/// One create with a file of 10 MiB: CPU time, and the memory it takes against the size of the request.
async fn large_file(folder: &Path) {
    let program = Program::start(folder, &[]).await;
    let session = Session::open(&program).await;
    let body = session.large_body();
    let mut peak: f64 = 0.0;
    let before = program.cpu_times();
    for _ in 0..FILES {
        program.reset_peak();
        let memory = program.memory("VmRSS");
        session.rest_post(body.clone()).await;
        peak = peak.max((program.memory("VmHWM") - memory) / body.len() as f64);
    }
    let after = program.cpu_times();
    let each = |from: f64, to: f64| (to - from) * 1e3 / f64::from(FILES);
    let (user, system) = (each(before.0, after.0), each(before.1, after.1));
    println!("create with 10 MiB:     {:>8.1} ms CPU: {user:.1} own, {system:.1} kernel (target 25)", user + system);
    println!("plain write of 10 MiB:  {:>8.1} ms CPU, kernel", beside::plain_write(folder, FILES));
    println!("                        {peak:>8.2} times the request in memory at most (target 3)");
}

async fn sqlite(folder: &Path) {
    let program = Program::start(folder, &[]).await;
    let session = Session::open(&program).await;
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(beside::rusqlite(folder));
        ours.push(under_load(&session, async |session| session.rest_create().await).await / ROUND.as_secs_f64());
    }
    let (ours, alone) = (median(&mut ours), median(&mut alone));
    println!(
        "SQLite creates, REST:   {ours:>8.0} a second; one rusqlite connection {alone:.0}, ratio {:.2} (target 0.5)",
        ours / alone
    );
}

async fn postgres(maintenance: &Url, folder: &Path) {
    let server = Database::connect(maintenance.as_str()).await.expect("the server answers");
    let drop_database = "DROP DATABASE IF EXISTS kira_load WITH (FORCE)";
    server.execute_unprepared(drop_database).await.expect("no database is left");
    server.execute_unprepared("CREATE DATABASE kira_load").await.expect("a new database");
    let mut url = maintenance.clone();
    url.set_path("kira_load");
    let keys = "bench:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let documents = folder.join("documents").display().to_string();
    let settings = [
        ("KIRA_DATABASE_URL", url.as_str()),
        ("KIRA_DOCUMENTS_URL", &documents),
        ("KIRA_VERIFICATION_PROVIDER", "sandbox"),
        ("KIRA_MASTER_KEYS", keys),
        ("KIRA_DATABASE_MAX_CONNECTIONS", "32"),
    ];
    Program::command(folder, &settings, &["migrate"]);
    let program = Program::start(folder, &settings).await;
    let session = Session::open(&program).await;
    let script = beside::script(folder, session.client_id());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.extend(beside::pgbench(&url, &script));
        ours.push(under_load(&session, async |session| session.rest_create().await).await / ROUND.as_secs_f64());
    }
    let ours = median(&mut ours);
    println!("PostgreSQL creates:     {ours:>8.0} a second over REST");
    if !theirs.is_empty() {
        let theirs = median(&mut theirs);
        println!("                        pgbench {theirs:.0}, ratio {:.2} (target 0.8)", ours / theirs);
    }
    drop(program);
    server.execute_unprepared(drop_database).await.expect("the database is dropped");
}
