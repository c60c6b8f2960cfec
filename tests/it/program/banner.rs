//! The first start of the embedded form.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;

use crate::harness::program::{Program, Setup};
use crate::harness::service::{Answer, http_client};

/// A `curl` line of the banner: its URL, headers and body, with shell variables replaced.
struct Curl {
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Curl {
    /// The lines of the banner between `curl` and what ends the command, in order.
    fn all(banner: &str) -> Vec<Self> {
        let joined = banner.replace("\\\n", " ");
        joined.split("curl -s").skip(1).map(|rest| Self::parse(rest.lines().next().unwrap_or_default())).collect()
    }

    fn parse(line: &str) -> Self {
        let mut curl = Self { url: String::new(), headers: Vec::new(), body: String::new() };
        let mut words = words(line).into_iter().skip_while(|word| !word.starts_with("http"));
        curl.url = words.next().expect("a URL");
        while let Some(word) = words.next() {
            match word.as_str() {
                "-H" => {
                    let header = words.next().expect("a header");
                    let (name, value) = header.split_once(": ").expect("a name and a value");
                    curl.headers.push((name.to_owned(), value.to_owned()));
                }
                "-d" => curl.body = words.next().expect("a body"),
                "|" => break,
                other => panic!("an option that the test does not know: {other}"),
            }
        }
        curl
    }

    async fn run(&self, token: &str) -> Answer {
        let mut request = http_client().request(Method::POST, &self.url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value.replace("$TOKEN", token));
        }
        Answer::of(request.send().await.expect("an answer")).await
    }
}

/// The words of a line as a shell sees them, as far as the banner needs it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            (None, ' ' | ')') if word.is_empty() => {}
            (None, ' ' | ')') => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn stop(mut program: Program) -> String {
    program.terminate();
    assert!(program.ended().success());
    program.output.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_start_shows_how_to_create_a_user_and_the_second_shows_that_user() {
    let setup = Setup::embedded();
    let program = setup.serve();
    let banner = crate::harness::program::wait_until(
        || Some(program.output.text()).filter(|text| text.contains("idempotency-key") && text.ends_with("\n\n")),
        || "the banner".to_owned(),
    );
    for address in [program.rest(), program.grpc(), program.admin()] {
        assert!(banner.contains(&address), "{address} is shown");
    }
    assert!(banner.contains("master.keys: back that file up"));
    let [auth, create] = <[Curl; 2]>::try_from(Curl::all(&banner)).map_err(|all| all.len()).expect("two calls");
    let answer = auth.run("").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let token = answer.json()["data"]["access_token"].as_str().expect("a token").to_owned();
    // As the `sed` of the banner finds it.
    assert!(answer.text.contains(&format!("\"access_token\":\"{token}\"")));
    let created = create.run(&token).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let again = create.run(&token).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(stop(program), banner, "the banner is all");

    let program = setup.serve();
    let place = created.header("location").expect("a place");
    let shown = {
        let mut request = http_client().get(format!("http://{}{place}", program.rest()));
        for (name, value) in &create.headers {
            request = request.header(name, value.replace("$TOKEN", &token));
        }
        Answer::of(request.send().await.expect("an answer")).await
    };
    assert_eq!((shown.status, shown.json()), (200, created.json()));
    assert_eq!(stop(program), "", "no banner the second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_banner_is_shown_where_a_client_was_made_before() {
    let setup = Setup::embedded();
    let client = setup.client();
    let program = setup.serve();
    assert!(!program.token(&client).await.is_empty());
    assert_eq!(stop(program), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_client_that_was_made_but_never_shown_is_shown_at_the_next_start() {
    let setup = Setup::embedded();
    let first = stop(setup.serve());
    // As a process leaves it that is killed between the two.
    let file = rusqlite::Connection::open(setup.data().join("kira-users.db")).expect("the database");
    let removed = file.execute("DELETE FROM watermarks WHERE name = 'demo_client_shown'", []);
    assert_eq!(removed.expect("a statement"), 1);
    let program = setup.serve();
    let banner = crate::harness::program::wait_until(
        || Some(program.output.text()).filter(|text| text.contains("idempotency-key") && text.ends_with("\n\n")),
        || "the banner".to_owned(),
    );
    let [auth, _] = <[Curl; 2]>::try_from(Curl::all(&banner)).map_err(|all| all.len()).expect("two calls");
    assert_eq!(auth.run("").await.status, 200, "what is shown works");
    let [mut auth, _] = <[Curl; 2]>::try_from(Curl::all(&first)).map_err(|all| all.len()).expect("two calls");
    auth.url = format!("http://{}/auth", program.rest());
    assert_eq!(auth.run("").await.status, 200, "so does what was perhaps shown before");
    stop(program);
    assert_eq!(stop(setup.serve()), "", "it is shown once");
}

#[test]
fn of_two_first_starts_at_once_both_serve_and_one_makes_the_demo_client() {
    for _ in 0..4 {
        let setup = Setup::embedded();
        let (one, other) = std::thread::scope(|scope| {
            let starting = [(); 2].map(|()| scope.spawn(|| setup.serve()));
            let [one, other] = starting.map(|start| start.join().expect("both start"));
            (one, other)
        });
        stop(one);
        stop(other);
        let list = setup.printed(&["client", "list"]);
        assert_eq!(list.matches("demo").count(), 1, "{list}");
    }
}

#[test]
fn the_key_file_is_its_owners_alone() {
    let setup = Setup::embedded();
    let program = setup.serve();
    let mode =
        |name: &str| std::fs::metadata(setup.data().join(name)).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode("master.keys"), 0o600);
    let warned = program.log.text();
    assert!(warned.contains("created a key file") && warned.contains("back it up"), "{warned}");
    let key = std::fs::read_to_string(setup.data().join("master.keys")).expect("it is there");
    let key = key.lines().find_map(|line| line.split_once(':')).expect("a key").1.trim().to_owned();
    let said = stop(program);
    assert!(!said.contains(&key) && !warned.contains(&key), "the key itself is never shown");
}

#[test]
fn a_start_without_the_key_file_is_refused_and_names_it() {
    let setup = Setup::embedded();
    stop(setup.serve());
    std::fs::remove_file(setup.data().join("master.keys")).expect("it is there");
    let refused = setup.run(&[]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("master.keys is missing"), "{said}");
}

#[test]
fn a_demo_client_that_cannot_be_shown_is_told_with_the_way_to_new_credentials() {
    let setup = Setup::embedded();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device that takes nothing");
    let output = setup.command(&[]).stdout(full).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let (_, rest) = said.split_once("`kira-users client rotate ").expect("the way");
    let id = rest.split('`').next().expect("an id");
    assert!(setup.printed(&["client", "rotate", id]).contains("api_key"));
}
