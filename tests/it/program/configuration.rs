//! The configuration, and the probe.

use crate::harness::program::{Program, Setup};

fn refusal(setup: &Setup, arguments: &[&str]) -> String {
    let output = setup.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    said
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let mut setup = Setup::embedded();
    setup.set("KIRA_HTTP_ADRESS", "127.0.0.1:0");
    let said = refusal(&setup, &[]);
    assert!(said.contains("KIRA_HTTP_ADRESS") && said.contains("KIRA_HTTP_ADDR"), "{said}");
    assert!(!setup.data().exists(), "nothing was begun");
}

#[test]
fn an_unknown_key_of_the_file_is_refused_by_name() {
    let setup = Setup::embedded();
    let file = setup.folder.path().join("kira.toml");
    std::fs::write(&file, "[server]\nhttp_adr = \"127.0.0.1:0\"\n\n[sever]\nx = 1\n").expect("a file");
    let said = refusal(&setup, &["--config", &file.display().to_string()]);
    assert!(said.contains("server.http_adr") && said.contains("sever"), "all at once: {said}");
}

#[test]
fn wrong_values_are_refused_all_at_once() {
    let mut setup = Setup::embedded();
    setup.set("KIRA_HTTP_ADDR", "nowhere");
    setup.set("KIRA_MAX_BODY_BYTES", "many");
    setup.set("KIRA_DATABASE_URL", "postgres://kira:hush@127.0.0.1/kira");
    let said = refusal(&setup, &["migrate"]);
    for name in ["KIRA_HTTP_ADDR", "KIRA_MAX_BODY_BYTES", "KIRA_DOCUMENTS_URL", "KIRA_MASTER_KEYS"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(!said.contains("hush"), "a password is not shown");
}

#[test]
fn an_unknown_command_is_refused() {
    assert!(refusal(&Setup::embedded(), &["sevre"]).contains("sevre"));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let mut setup = Setup::embedded();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    setup.set("KIRA_HTTP_ADDR", &address);
    let output = setup.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&address), "{said}");
}

#[test]
fn healthcheck_tells_by_its_exit_code_whether_the_service_is_ready() {
    let mut setup = Setup::embedded();
    let mut program: Program = setup.serve();
    let url = format!("http://{}/readyz", program.admin());
    assert_eq!(setup.run(&["healthcheck", "--url", &url]).status.code(), Some(0));
    // Without a URL it asks the configured address.
    setup.set("KIRA_ADMIN_ADDR", &program.admin());
    assert_eq!(setup.run(&["healthcheck"]).status.code(), Some(0));
    program.terminate();
    assert!(program.ended().success());
    let output = setup.run(&["healthcheck"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not answer"));
}

#[test]
fn malformed_master_keys_are_refused_with_all_other_problems() {
    let mut setup = Setup::embedded();
    setup.set("KIRA_HTTP_ADDR", "nowhere");
    setup.set("KIRA_MASTER_KEYS", "test:planted-no-key");
    let said = refusal(&setup, &[]);
    assert!(said.contains("KIRA_HTTP_ADDR"), "{said}");
    assert!(said.contains("KIRA_MASTER_KEYS: master key 1 is not 32 bytes in base64"), "{said}");
    assert!(!said.contains("planted"), "{said}");
}

#[test]
fn a_command_in_a_wrong_folder_makes_nothing_and_says_where_it_looked() {
    let setup = Setup::embedded();
    for arguments in [
        &["client", "list"][..],
        &["client", "create", "--name", "x"],
        &["keys", "rotate"],
        &["webhook", "list"],
        &["review", "list"],
    ] {
        let output = setup.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&setup.data().join("kira-users.db").display().to_string()), "{said}");
        assert!(!setup.data().exists(), "{arguments:?} makes nothing");
    }
    assert!(setup.printed(&["migrate"]).contains("applied"));
    assert!(setup.run(&["client", "list"]).status.success());
}

#[test]
fn a_rotation_says_when_running_servers_publish_the_key() {
    let setup = Setup::embedded();
    setup.printed(&["migrate"]);
    let said = setup.printed(&["keys", "rotate"]);
    assert!(said.contains("Running servers publish it within 30 seconds"), "{said}");
}
