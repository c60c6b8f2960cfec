//! The commands, their arguments and their help.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use url::Url;
use uuid::Uuid;

use super::export::ExportArgs;
use super::import::ImportArgs;
use super::screening::{ListsCommand, ScreenArguments};
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
    /// Run the service (the default)
    Serve,
    /// Run the worker only (verification, webhooks, maintenance): for servers with KIRA_WORKER=false
    Worker,
    /// Bring the database schema up to date, and print the migrations that were applied
    Migrate {
        /// How long to wait for the database to become available
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
        wait: Duration,
    },
    /// Manage the clients that may call the service
    #[command(subcommand)]
    Client(ClientCommand),
    /// Decide the verifications that need a manual review
    #[command(subcommand)]
    Review(ReviewCommand),
    /// Manage webhook endpoints and deliveries, and try webhooks
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Show how far brokers have the events, and publish again what they refused
    #[command(subcommand)]
    Sink(SinkCommand),
    /// Create the users of a file of JSON lines; run again, it creates none of them twice
    Import(ImportArgs),
    /// Write the users of a client and their files into a folder: personal data, in clear
    Export(ExportArgs),
    /// Manage the keys that sign access tokens, and the master keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Move old events to the archive, signed files in the object store, and verify it
    Archive(ArchiveArguments),
    /// Erase users with a certificate, show which have expired, verify certificates
    #[command(subcommand)]
    Erasures(ErasuresCommand),
    /// Place and release the legal holds that prevent an erasure
    #[command(subcommand)]
    Holds(HoldsCommand),
    /// Read lists of sanctions, compare their versions, measure the matcher
    #[command(subcommand)]
    Lists(ListsCommand),
    /// Screen a name against lists, and show what matches and why
    Screen(ScreenArguments),
    /// Check whether a running service is ready: exit code 0 if so, else 1
    Healthcheck {
        /// The URL to request [default: /readyz at the configured admin address]
        #[arg(long, value_parser = http_url)]
        url: Option<Url>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Create a client and show its credentials, this once
    Create {
        /// A display name; it need not be unique
        #[arg(long, value_parser = client_name)]
        name: String,
        /// Its role: a client manages its own users; a reviewer decides the reviews of all clients
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
    /// Create a new password and API key for a client and show them, this once
    Rotate {
        /// The client's id
        id: Uuid,
        /// How long the previous credentials remain valid; 0s revokes them at once
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
        #[command(flatten)]
        format: Format,
    },
    /// Create or update clients from a file of credentials; idempotent
    Import {
        /// JSON: a list of client_id, name, password, api_key and, for reviewers, role
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// How long replaced credentials remain valid; 0s revokes them at once
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
    },
    /// Disable a client; every replica rejects it within five seconds
    Disable {
        /// The client's id
        id: Uuid,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ReviewCommand {
    /// List the open reviews, oldest first
    List {
        /// Maximum number of entries
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
    /// Claim a review for an hour; no other reviewer can decide it
    Claim {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
    },
    /// Release a claimed review
    Release {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
    },
    /// Approve the review: the user is verified
    Approve {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
        /// The reason in the history that the client sees
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
        #[command(flatten)]
        decision: Decision,
    },
    /// Reject the review: the user is rejected
    Reject {
        /// The review's id
        id: Uuid,
        #[command(flatten)]
        by: By,
        /// The reason that the client sees; no personal data
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        decision: Decision,
    },
}

#[derive(Debug, Args)]
pub(super) struct By {
    /// The reviewer: your name, for the record
    #[arg(long = "as", value_name = "NAME", value_parser = client_name)]
    pub(super) name: String,
}

#[derive(Debug, Args)]
pub(super) struct Decision {
    /// A note that only reviewers see; stored encrypted
    #[arg(long, value_parser = note)]
    pub(super) note: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum SinkCommand {
    /// List the sinks that have ever run, how far each is behind, and its dead letters
    List {
        #[command(flatten)]
        format: Format,
    },
    /// List the events that the broker of a sink refused for good
    DeadLetters {
        /// The sink: nats, amqp or redis
        sink: String,
        /// Only those behind this position
        #[arg(long, default_value_t = 0)]
        after: i64,
        /// Maximum number of entries
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
        limit: u64,
        #[command(flatten)]
        format: Format,
    },
    /// Publish dead letters again; the relay of a running server or worker does it
    Retry {
        /// The sink: nats, amqp or redis
        sink: String,
        /// The id of one event
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        event: Option<Uuid>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
    /// Delete the cursor and the dead letters of a sink that is no longer configured, so that the archive does not wait for it
    Forget {
        /// The sink: nats, amqp or redis
        sink: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the keys that sign access tokens, and the state of each
    List,
    /// Create a new key; it is published at once and signs after ten minutes, tokens of the old keys remain valid
    Rotate,
    /// Show the master keys, and what each of them still seals
    Status {
        #[command(flatten)]
        format: Format,
    },
    /// Seal everything again under the first master key of the ring, beside running servers; run again, it goes on
    RotateMaster,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct ArchiveArguments {
    /// Archive the days before this one (UTC), such as 2026-01-01 [default: by KIRA_EVENTS_RETENTION]
    #[arg(long, value_name = "DAY")]
    pub(super) before: Option<NaiveDate>,

    #[command(subcommand)]
    pub(super) command: Option<ArchiveCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ArchiveCommand {
    /// Verify the signatures, the files and the chain of each client
    Verify {
        /// A copy of the archive; needs no configuration [default: the archive of the configuration]
        #[arg(long, value_name = "FOLDER")]
        folder: Option<String>,
        /// The public key that must have signed [default: of a folder, whatever each manifest names]
        #[arg(long, value_name = "BASE64")]
        public_key: Option<String>,
    },
    /// Print the public key that verifies the archive and the certificates of erasures
    Key,
}

/// A user.
#[derive(Debug, Args)]
pub(super) struct OfUser {
    /// The client that owns the user
    #[arg(long, value_name = "ID")]
    pub(super) client: Uuid,
    /// The user
    #[arg(long, value_name = "ID")]
    pub(super) user: Uuid,
}

#[derive(Debug, Subcommand)]
pub(super) enum ErasuresCommand {
    /// Erase a user, and print the certificate; this cannot be undone
    Erase {
        #[command(flatten)]
        user: OfUser,
    },
    /// Print the certificate of an erased user
    Show {
        #[command(flatten)]
        user: OfUser,
    },
    /// List the users that have expired by KIRA_RETENTION_CREATED and KIRA_RETENTION_REJECTED; erases none
    Due,
    /// After a restore: erase again the users that the backup has brought back
    Reapply,
    /// Verify a certificate; needs no configuration
    Verify {
        /// The certificate, as the API shows it
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The public key that must have signed [default: whatever the certificate names]
        #[arg(long, value_name = "BASE64")]
        public_key: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum HoldsCommand {
    /// List the holds on a user, with those that were released
    List {
        #[command(flatten)]
        user: OfUser,
    },
    /// Place a hold
    Place {
        #[command(flatten)]
        user: OfUser,
        /// Why, such as the reference of the case
        #[arg(long, value_parser = hold_reason)]
        reason: String,
    },
    /// Release a hold that was placed with this command
    Release {
        #[command(flatten)]
        user: OfUser,
        /// The hold's id
        hold: Uuid,
    },
}

#[derive(Debug, Args)]
pub(super) struct Format {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

const LONG_ABOUT: &str = "\
User onboarding for a fintech, over gRPC and REST.

Without a command it serves. Without any configuration it stores an SQLite file, documents and the key that
encrypts personal data under ./data, and prints on its first start how to make the first call.";

fn after_long_help() -> String {
    format!(
        "\
Examples:
  kira-users
          Serve on this machine, from ./data
  kira-users client create --name 'Acme app'
          Create a client; keep the credentials it prints, they cannot be shown again
  kira-users client rotate 0192f3c4-… --overlap 1h
          Replace its password and API key; the old ones remain valid for an hour
  KIRA_DATABASE_URL=postgres://kira@db/kira KIRA_MASTER_KEYS_FILE=/run/secrets/keys \\
      KIRA_DOCUMENTS_URL=/srv/kira/documents kira-users migrate
          Prepare a PostgreSQL database before serving from it

Settings, from the environment or the file (TOML: `section.key` is `key` in `[section]`). The environment wins, an
empty variable counts as not set, and an unknown name is an error:
{}
  The product catalogue is set in the file only: [[products]] with id, code and name.

Exit codes:
  0  done
  1  failed; standard error says why
  2  the command line or the configuration is wrong",
        help_table()
    )
}

/// Names are shown in terminals and logs, so they are short and have no control characters.
pub(super) fn client_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    match name.chars().count() {
        0 => Err("a name must not be empty".to_owned()),
        256.. => Err("a name has at most 255 characters".to_owned()),
        _ if name.chars().any(char::is_control) => Err("a name must not have control characters".to_owned()),
        _ => Ok(name.to_owned()),
    }
}

fn reason(text: &str) -> Result<String, String> {
    free_text(text, 1_024)
}

fn hold_reason(text: &str) -> Result<String, String> {
    match free_text(text, 500)? {
        reason if reason.chars().any(char::is_control) => Err("it must not have control characters".to_owned()),
        reason => Ok(reason),
    }
}

fn note(text: &str) -> Result<String, String> {
    free_text(text, 4_096)
}

/// The limits of the contract: the API accepts the same.
fn free_text(text: &str, most: usize) -> Result<String, String> {
    match text.chars().count() {
        0 => Err("it must not be empty".to_owned()),
        length if length > most => Err(format!("it has at most {most} characters")),
        _ if text.contains('\0') => Err("it must not have a NUL character".to_owned()),
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
