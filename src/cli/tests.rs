use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use uuid::Uuid;

use super::arguments::{ClientCommand, KeysCommand};
use super::clients::{credentials_json, credentials_text};
use super::output::{format_error_chain, table};
use super::*;
use crate::auth::Credentials;
use crate::config::SETTINGS;
use crate::env::SystemEnv;

fn parse(arguments: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("kira-users").chain(arguments.split_whitespace()))
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn without_a_command_it_serves() {
    assert!(parse("").expect("parses").command.is_none());
    assert!(matches!(parse("serve").expect("parses").command, Some(Command::Serve)));
}

#[test]
fn the_configuration_file_may_stand_before_and_after_the_command() {
    for arguments in ["--config a.toml migrate", "migrate --config a.toml"] {
        assert_eq!(parse(arguments).expect("parses").config.as_deref(), Some("a.toml".as_ref()), "{arguments}");
    }
}

#[test]
fn an_overlap_is_a_day_unless_said_otherwise() {
    let overlap = |arguments: &str| match parse(arguments).expect("parses").command {
        Some(Command::Client(ClientCommand::Rotate { overlap, .. })) => overlap.as_secs(),
        other => panic!("{other:?}"),
    };
    let id = Uuid::nil();
    assert_eq!(overlap(&format!("client rotate {id}")), 86_400);
    assert_eq!(overlap(&format!("client rotate {id} --overlap 90m --json")), 5_400);
}

#[test]
fn wrong_arguments_are_refused_with_what_is_accepted() {
    for (arguments, hint) in [
        ("client rotate 7", "invalid"),
        ("client rotate 00000000-0000-0000-0000-000000000000 --overlap 24", "has no unit; accepted: a number"),
        ("client rotate 00000000-0000-0000-0000-000000000000 --overlap 400d", "at most 365d"),
        ("healthcheck --url https://localhost/", "accepted: http://HOST:PORT/PATH"),
        ("clinet list", "client"),
    ] {
        let error = parse(arguments).expect_err(arguments);
        assert_eq!(error.exit_code(), 2, "{arguments}");
        assert!(error.to_string().contains(hint), "{arguments}: {error}");
    }
}

#[test]
fn a_client_has_a_name_that_can_be_shown() {
    let named = |name: &str| Cli::try_parse_from(["kira-users", "client", "create", "--name", name]);
    assert!(named("Acme app").is_ok());
    for name in ["", "  ", "red\u{1b}[31m", "a\nb", &"x".repeat(256)] {
        assert_eq!(named(name).expect_err(name).kind(), ErrorKind::ValueValidation, "{name:?}");
    }
}

#[test]
fn there_are_keys_to_list_and_to_rotate() {
    assert!(matches!(parse("keys list").expect("parses").command, Some(Command::Keys(KeysCommand::List))));
    assert!(matches!(parse("keys rotate").expect("parses").command, Some(Command::Keys(KeysCommand::Rotate))));
}

#[test]
fn the_long_help_names_every_setting() {
    let help = Cli::command().render_long_help().to_string();
    for setting in SETTINGS {
        assert!(help.contains(setting.env) && help.contains(setting.path), "{}", setting.env);
    }
}

#[test]
fn credentials_are_shown_whole_in_both_forms() {
    let credentials = Credentials::generate(Uuid::from_u128(7), &SystemEnv::default());
    let (password, api_key) = (&credentials.password, &credentials.api_key);
    let id = "00000000-0000-0000-0000-000000000007";
    let json = credentials_json(&credentials, None).expect("serialises");
    assert_eq!(json, format!(r#"{{"client_id":"{id}","password":"{password}","api_key":"{api_key}"}}"#));
    let text = credentials_text(&credentials);
    assert!([id, password, api_key, "this once"].iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn a_failure_is_explained_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("the store cannot be reached")]
    struct Outer(#[source] std::io::Error);
    let failure = Outer(std::io::Error::other("connection refused"));
    assert_eq!(format_error_chain(&failure), "error: the store cannot be reached\n  because: connection refused");
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    assert_eq!(table(&[row(["ID", "NAME"]), row(["long id", "x"])]), "ID       NAME\nlong id  x");
}
