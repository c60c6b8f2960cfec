//! The arguments of `webhook`.

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use super::super::arguments::Format;
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
    Trial(Trial),
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
