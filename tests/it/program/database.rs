//! A database that cannot be used: the log, `/startupz` and commands name the kind of failure, and no secret.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::harness::database::{TestDatabase, engine};
use crate::harness::program::{Setup, wait_until_async};
use crate::harness::proxy::Proxy;
use crate::harness::reserved_port::ReservedPort;
use crate::harness::service::{Answer, http_client};

use kira_users::store::Engine;

const PASSWORD: &str = "hunter2-of-the-database";

/// A service whose database is at `url`, with the sentence that it must give for it.
async fn says(url: &str, reason: &str) {
    let mut setup = Setup::on(TestDatabase::empty().await);
    setup.set("KIRA_DATABASE_URL", url);
    let mut program = setup.start();
    let expected = format!("the database does not answer: {reason}");
    let started = async || {
        let answer = http_client().get(format!("http://{}/startupz", program.admin())).send().await.expect("an answer");
        let answer = Answer::of(answer).await;
        (answer.json()["reason"] == expected.as_str()).then_some(answer.status)
    };
    assert_eq!(wait_until_async(started, reason).await, 503);
    let logged = program.log.find("not ready").expect("a line of the log");
    assert_eq!(logged["reason"], expected.as_str());
    assert!(!program.log.text().contains(PASSWORD));
    program.terminate();
    assert!(program.ended().success());
    for command in [&["migrate"][..], &["client", "list"]] {
        let refused = setup.run(command);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1));
        assert!(said.contains(&expected) && !said.contains(PASSWORD), "{said}");
    }
}

/// Something that accepts connections and answers each with `answer`; an empty one closes it, and without one it is silent.
fn stand_in(answer: Option<&'static [u8]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            if let Some(answer) = answer {
                let mut asked = [0; 64];
                // The caller may be gone, which is its own business.
                let _ = stream.read(&mut asked).and_then(|_| stream.write_all(answer));
                if answer.is_empty() {
                    continue;
                }
            }
            open.push(stream);
        }
    });
    port
}

fn local(port: u16) -> String {
    format!("postgres://kira:{PASSWORD}@127.0.0.1:{port}/kira")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_nothing_listens_at_refuses_the_connection() {
    let port = ReservedPort::new();
    says(&local(port.addr().port()), "the connection is refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dns_does_not_know_is_a_name_that_does_not_resolve() {
    says(&format!("postgres://kira:{PASSWORD}@database.invalid/kira"), "the host name does not resolve").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_accepts_and_is_silent_does_not_answer_in_time() {
    says(&local(stand_in(None)), "no answer in time").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_at_the_port_is_not_a_postgresql_server() {
    let url = local(stand_in(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
    says(&url, "what answers is not a PostgreSQL server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_without_a_server_closes_the_connection() {
    let url = format!("{}?sslmode=disable", local(stand_in(Some(b""))));
    says(&url, "the connection is closed without an answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_fails_where_tls_is_required() {
    let url = format!("{}?sslmode=require", local(stand_in(Some(b"N"))));
    says(&url, "TLS fails").await;
}

/// The URL of the test's server with another user and database.
fn on_the_server(user: &str, database: &str) -> Option<String> {
    if engine() == Engine::Sqlite {
        return None;
    }
    let mut url = url::Url::parse(&std::env::var("KIRA_TEST_DATABASE_URL").ok()?).ok()?;
    url.set_username(user).ok()?;
    url.set_password(Some(PASSWORD)).ok()?;
    url.set_path(database);
    Some(url.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_the_server_does_not_have_is_missing() {
    if let Some(url) = on_the_server("postgres", "kira-no-such-database") {
        says(&url, "the server has no database of this name").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_the_server_does_not_have_is_rejected() {
    if let Some(url) = on_the_server("kira-no-such-user", "postgres") {
        says(&url, "the server rejects the user or the password").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_waits_for_a_database_that_comes_later() {
    if engine() == Engine::Sqlite {
        return;
    }
    let setup = Setup::on(TestDatabase::empty().await);
    let server = setup.environment["KIRA_DATABASE_URL"].clone();
    let (mut proxy, url) = Proxy::to_server(&server).await;
    proxy.cut().await;
    let mut later = Setup::on(TestDatabase::empty().await);
    later.set("KIRA_DATABASE_URL", &url);
    let mut waiting = later.command(&["migrate", "--wait", "10m"]).spawn().expect("the program runs");
    let mut log = std::io::BufReader::new(waiting.stderr.take().expect("its log"));
    let mut line = String::new();
    std::io::BufRead::read_line(&mut log, &mut line).expect("a line");
    assert!(line.contains("the connection is refused"), "{line}");
    proxy.mend();
    let printed = waiting.wait_with_output().expect("its end");
    assert!(printed.status.success());
    assert!(String::from_utf8_lossy(&printed.stdout).contains("applied m"));
}
