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
use crate::store::DeliveryState;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WebhookCommand {
    /// List the endpoints and their states
    List {
        /// Only those of this client
        #[arg(long, value_name = "ID")]
        client: Option<Uuid>,
        #[command(flatten)]
        format: Format,
    },
    /// List deliveries and their last attempts, newest first
    Deliveries {
        /// Only those of this client
        #[arg(long, value_name = "ID")]
        client: Option<Uuid>,
        /// Only deliveries to this endpoint
        #[arg(long, value_name = "ID")]
        endpoint: Option<Uuid>,
        /// Only deliveries with this status
        #[arg(long)]
        status: Option<DeliveryStatus>,
        /// Maximum number of entries
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1_000))]
        limit: u64,
        #[command(flatten)]
        format: Format,
    },
    /// Send again: one delivery, or the failed deliveries of an endpoint
    #[command(group = clap::ArgGroup::new("what").required(true).args(["delivery", "endpoint"]))]
    Replay {
        /// One delivery
        #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until", "delivered_too"])]
        delivery: Option<Uuid>,
        /// The failed deliveries of this endpoint
        #[arg(long, value_name = "ID")]
        endpoint: Option<Uuid>,
        /// Only deliveries created at or after this time, such as 2026-11-23T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<DateTime<Utc>>,
        /// Only deliveries created before this time
        #[arg(long, value_name = "TIME")]
        until: Option<DateTime<Utc>>,
        /// Include delivered ones
        #[arg(long)]
        delivered_too: bool,
    },
    #[command(flatten)]
    Manage(Manage),
    #[command(flatten)]
    Local(LocalCommand),
}

/// The calls of the webhook API, made by an operator for a client.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Manage {
    /// Create an endpoint and show its secret, this once
    Create {
        #[command(flatten)]
        owner: EndpointOwner,
        /// Where events are sent; https, or http where KIRA_WEBHOOK_ALLOW allows it
        #[arg(long)]
        url: String,
        #[command(flatten)]
        secret: OwnSecret,
        /// Send only events of this type; may be repeated [default: all]
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type())]
        events: Vec<i32>,
        /// Send the events of a user in order, one at a time
        #[arg(long)]
        ordered: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Change an endpoint; settings that are not given stay as they are
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true)
        .args(["url", "events", "all_events", "ordered", "enable", "disable"]))]
    Update {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: EndpointOwner,
        /// Where events are sent; https, or http where KIRA_WEBHOOK_ALLOW allows it
        #[arg(long)]
        url: Option<String>,
        /// Send only events of this type; may be repeated
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type())]
        events: Vec<i32>,
        /// Send events of every type
        #[arg(long, conflicts_with = "events")]
        all_events: bool,
        /// Whether the events of a user are sent in order, one at a time
        #[arg(long, value_name = "true|false")]
        ordered: Option<bool>,
        /// Enable it; queued events are sent first
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Disable it; events are queued until it is enabled
        #[arg(long)]
        disable: bool,
        #[command(flatten)]
        format: Format,
    },
    /// Create a new secret for an endpoint and show it, this once
    Rotate {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: EndpointOwner,
        #[command(flatten)]
        secret: OwnSecret,
        /// How long the previous secret remains valid: deliveries have both signatures; at most 30d
        #[arg(long, default_value = "24h", value_parser = parse_duration)]
        overlap: Duration,
        #[command(flatten)]
        format: Format,
    },
    /// Send `webhook.test` to an endpoint, whatever event types it receives
    Test {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: EndpointOwner,
        #[command(flatten)]
        format: Format,
    },
    /// Delete an endpoint
    Delete {
        /// The endpoint's id
        id: Uuid,
        #[command(flatten)]
        owner: EndpointOwner,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EndpointOwner {
    /// The client that owns the endpoint
    #[arg(long, value_name = "ID")]
    pub(super) client: Uuid,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct OwnSecret {
    /// A file with the secret, of 24 characters or more; by default one is generated
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
}

/// Parses the JSON name of an event type into its number.
fn event_type() -> impl TypedValueParser<Value = i32> {
    let known = v1::EventType::VALUES;
    PossibleValuesParser::new(known.iter().map(|(_, name)| *name)).try_map(|given| {
        let found = known.iter().find(|(_, name)| *name == given);
        found.map(|(number, _)| *number).ok_or("is not an event type")
    })
}

/// Commands that need no configuration and no database.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LocalCommand {
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
    /// A file with the endpoint's secret
    #[arg(long, value_name = "FILE")]
    pub(super) secret_file: Option<PathBuf>,
    /// The endpoint's secret; other users of this machine can see it in the process list
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
    pub(super) const fn state(self) -> DeliveryState {
        match self {
            Self::Pending => DeliveryState::Pending,
            Self::Delivered => DeliveryState::Delivered,
            Self::Failed => DeliveryState::Dead,
        }
    }
}
