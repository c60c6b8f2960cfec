//! The commands and their arguments, and the help that teaches them.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use url::Url;
use uuid::Uuid;

use super::webhooks::WebhookCommand;
use crate::auth::Role;
use crate::config::{help_table, parse_duration};

/// User onboarding for a fintech, over gRPC and REST.
#[derive(Debug, Parser)]
#[command(
    version,
    about = "User onboarding for a fintech, over gRPC and REST",
    long_about = LONG_ABOUT,
    after_help = "`--help` shows examples and every setting.",
    after_long_help = after_long_help(),
)]
pub(super) struct Cli {
    /// The configuration file (TOML); the environment wins over it [env: KIRA_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the service (what happens without a command)
    Serve,
    /// Verify users and send webhooks without serving: for servers with KIRA_WORKER=false
    Worker,
    /// Bring the database schema up to date, and say what was applied
    Migrate,
    /// Manage the clients that may call the service
    #[command(subcommand)]
    Client(ClientCommand),
    /// Decide the verifications that wait for a human
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Look after webhooks, and try them
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Manage the keys that sign access tokens
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Ask a running service whether it is ready: exit code 0 if so, else 1
    Healthcheck {
        /// What to ask [default: /readyz at the configured admin address]
        #[arg(long, value_parser = http_url)]
        url: Option<Url>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Make a client and show its credentials, this once
    Create {
        /// A name for people; it need not be unique
        #[arg(long, value_parser = client_name)]
        name: String,
        /// What it may do: a client has users of its own; a reviewer decides the reviews of all
        #[arg(long, default_value_t = Role::Client, value_parser = PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|role| role.parse::<Role>()))]
        role: Role,
        #[command(flatten)]
        format: Format,
    },
    /// List all clients
    List {
        #[command(flatten)]
        format: Format,
    },
    /// Give a client a new password and API key, and show them, this once
    Rotate {
        /// The client's id
        id: Uuid,
        /// How long the credentials before stay good beside the new ones; 0s ends them at once
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
        #[command(flatten)]
        format: Format,
    },
    /// Make the clients of a file whose credentials were made elsewhere; a second time nothing changes
    Import {
        /// JSON: a list of client_id, name, password, api_key and, for reviewers, role
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// How long credentials that are replaced stay good; 0s ends them at once
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
    },
    /// Disable a client; every replica refuses it within five seconds
    Disable {
        /// The client's id
        id: Uuid,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ReviewCommand {
    /// List what waits, oldest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
        limit: u64,
        #[command(flatten)]
        format: Format,
    },
    /// Show one review and its user, personal data included
    Show {
        /// The review's id
        id: Uuid,
    },
    /// Keep a review from the others for an hour
    Claim {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
    },
    /// Give a claimed review back
    Release {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
    },
    /// Verify the user
    Approve {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
        /// What stands in the history that the client sees
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
        #[command(flatten)]
        decision: Decision,
    },
    /// Reject the user
    Reject {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
        /// What the client is told; no personal data
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        decision: Decision,
    },
}

#[derive(Debug, Args)]
pub(super) struct By {
    /// Who decides: your name, for the record
    #[arg(long = "as", value_name = "NAME", value_parser = client_name)]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Decision {
    /// For reviewers alone; kept sealed
    #[arg(long, value_parser = note)]
    pub(super) note: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the keys and what each is good for now
    List,
    /// Make a new key; it is published at once and signs after ten minutes, tokens of the old ones stay good
    Rotate,
}

#[derive(Debug, Args)]
pub(super) struct Format {
    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

const LONG_ABOUT: &str = "\
User onboarding for a fintech, over gRPC and REST.

Without a command it serves. With nothing configured it needs nothing: it keeps an SQLite file, documents
and the key that seals personal data under ./data, and shows on its first start how to make the first call.";

fn after_long_help() -> String {
    format!(
        "\
Examples:
  kira-users
          Serve on this machine, from ./data
  kira-users client create --name 'Acme app'
          Make a client; note what it prints, it cannot be shown again
  kira-users client rotate 0192f3c4-… --overlap 1h
          Replace its password and API key; the old ones work for an hour more
  KIRA_DATABASE_URL=postgres://kira@db/kira KIRA_MASTER_KEYS_FILE=/run/secrets/keys \\
      KIRA_DOCUMENTS_URL=/srv/kira/documents kira-users migrate
          Prepare a PostgreSQL database before serving from it

Settings, by environment or in the file (TOML: `section.key` is `key` in `[section]`); the environment wins, an
empty variable counts as not set, and names that are not known are refused:
{}
  The product catalogue is set in the file alone: [[products]] with id, code and name.

Exit codes:
  0  done
  1  it failed; standard error says why
  2  the command line or the configuration is wrong",
        help_table()
    )
}

/// Names are shown in terminals and logs, so they are short and have nothing in them that moves a cursor.
pub(super) fn client_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    match name.chars().count() {
        0 => Err("a name must not be empty".to_owned()),
        256.. => Err("a name has at most 255 characters".to_owned()),
        _ if name.chars().any(char::is_control) => Err("a name must not hold control characters".to_owned()),
        _ => Ok(name.to_owned()),
    }
}

fn reason(text: &str) -> Result<String, String> {
    free_text(text, 1_024)
}

fn note(text: &str) -> Result<String, String> {
    free_text(text, 4_096)
}

/// The bounds of the contract, so that both ways to decide take the same.
fn free_text(text: &str, most: usize) -> Result<String, String> {
    match text.chars().count() {
        0 => Err("it must not be empty".to_owned()),
        length if length > most => Err(format!("it has at most {most} characters")),
        _ if text.contains('\0') => Err("it must not hold a NUL character".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn overlap(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(365 * 86_400);
    match parse_duration(text)? {
        overlap if overlap <= LONGEST => Ok(overlap),
        _ => Err("an overlap is at most 365d".to_owned()),
    }
}

fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if url.scheme() == "http" && url.has_host() { Ok(url) } else { Err("accepted: http://HOST:PORT/PATH".to_owned()) }
}
