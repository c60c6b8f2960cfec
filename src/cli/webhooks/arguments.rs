//! The arguments of `webhook`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use kira_gateway::json::JsonEnum as _;
use uuid::Uuid;

use super::super::arguments::Format;
use crate::config::parse_duration;
use crate::contract::v1;
use crate::store::{DEAD, DELIVERED, PENDING};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WebhookCommand {
    /// List the endpoints and how they are
    List {
        /// Those of one client alone
        #[arg(long, value_name = "ID")]
        client: Option<Uuid>,
        #[command(flatten)]
        format: Format,
    },
    /// List deliveries and their last attempts, newest first
    Deliveries {
        /// Those of one client alone
        #[arg(long, value_name = "ID")]
        client: Option<Uuid>,
        /// Those to one endpoint alone
        #[arg(long, value_name = "ID")]
        endpoint: Option<Uuid>,
        /// Those that stand there alone
        #[arg(long)]
        status: Option<DeliveryStatus>,
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
        limit: u64,
        #[command(flatten)]
        format: Format,
    },
    /// Send again: one delivery, or what was given up of an endpoint
    #[command(group = clap::ArgGroup::new("what").required(true).args(["delivery", "endpoint"]))]
    Replay {
        /// One delivery
        #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until", "delivered_too"])]
        delivery: Option<Uuid>,
        /// What was given up of this endpoint
        #[arg(long, value_name = "ID")]
        endpoint: Option<Uuid>,
        /// What was made then or later, such as 2026-11-23T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<DateTime<Utc>>,
        /// What was made before then
        #[arg(long, value_name = "TIME")]
        until: Option<DateTime<Utc>>,
        /// What was delivered, too
        #[arg(long)]
        delivered_too: bool,
    },
    #[command(flatten)]
    Manage(Manage),
    #[command(flatten)]
    Trial(Trial),
}

/// What a client may do over the API, done for it by an operator.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Manage {
    /// Make an endpoint and show its secret, this once
    Create {
        #[command(flatten)]
        owner: Owner,
        /// Where events are sent; https, or http where KIRA_WEBHOOK_ALLOW allows it
        #[arg(long)]
        url: String,
        #[command(flatten)]
        secret: OwnSecret,
        /// Send events of this type alone; may be repeated [default: all]
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type())]
        events: Vec<i32>,
        /// Send the events of a user one after another
        #[arg(long)]
        ordered: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Change an endpoint; what is not given stays
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true)
        .args(["url", "events", "all_events", "ordered", "enable", "disable"]))]
    Update {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: Owner,
        /// Where events are sent; https, or http where KIRA_WEBHOOK_ALLOW allows it
        #[arg(long)]
        url: Option<String>,
        /// Send events of this type alone; may be repeated
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type())]
        events: Vec<i32>,
        /// Send events of every type
        #[arg(long, conflicts_with = "events")]
        all_events: bool,
        /// Whether the events of a user are sent one after another
        #[arg(long, value_name = "true|false")]
        ordered: Option<bool>,
        /// Send again, what was kept first
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Send nothing until it is enabled; what is not sent is kept
        #[arg(long)]
        disable: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Give an endpoint a new secret and show it, this once
    Rotate {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        secret: OwnSecret,
        /// How long the secret before signs beside the new one; at most 30d
        #[arg(long, default_value = "24h", value_parser = parse_duration)]
        overlap: Duration,
        #[command(flatten)]
        format: Format,
    },
    /// Send `webhook.test` to an endpoint, whatever its events
    Test {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: Owner,
        #[command(flatten)]
        format: Format,
    },
    /// Remove an endpoint: nothing is sent to it any more
    Delete {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: Owner,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Owner {
    /// The client whose endpoint it is
    #[arg(long, value_name = "ID")]
    pub(super) client: Uuid,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct OwnSecret {
    /// A file that holds the secret, of 24 characters or more; without it one is made
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
}

/// A type of events by its name in JSON, read as its number.
fn event_type() -> impl TypedValueParser<Value = i32> {
    let known = v1::WebhookEventType::VALUES;
    PossibleValuesParser::new(known.iter().map(|(_, name)| *name)).try_map(|given| {
        let found = known.iter().find(|(_, name)| *name == given);
        found.map(|(number, _)| *number).ok_or("is no type of events")
    })
}

/// What needs no installation.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Trial {
    /// Receive webhooks on this machine, verify and print them
    Listen {
        /// Where to listen
        #[arg(long = "addr", value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
        address: SocketAddr,
        #[command(flatten)]
        secret: Secret,
    },
    /// Check the signatures of a captured request
    Verify {
        /// The request: header lines, an empty line, and the body exactly as it arrived
        file: PathBuf,
        #[command(flatten)]
        secret: Secret,
    },
}

#[derive(Args)]
#[group(multiple = false)]
pub(in crate::cli) struct Secret {
    /// A file that holds the endpoint's secret
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    /// The endpoint's secret itself, which others on this machine can see
    #[arg(long, value_name = "TEXT")]
    pub(super) secret: Option<String>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum DeliveryStatus {
    Pending,
    Delivered,
    Failed,
}

impl DeliveryStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => PENDING,
            Self::Delivered => DELIVERED,
            Self::Failed => DEAD,
        }
    }
}
