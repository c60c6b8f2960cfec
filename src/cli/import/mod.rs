//! `import`: creates the users of a file of JSON lines.
//!
//! Every line has an idempotency key, its own or one that follows from it, so that an import that was stopped is run again:
//! what is there already is found, and not made twice.

mod files;
mod line;
mod pace;
mod reader;
mod report;
mod target;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use futures_util::TryStreamExt as _;
use kira_gateway::rest::Gateway;
use tokio_stream::wrappers::ReceiverStream;
use url::Url;
use uuid::Uuid;

use self::pace::Pace;
use self::reader::{ReadLine, Ready};
use self::report::{Counts, Report};
use self::target::{Answer, NoAnswer, Remote, Target};
use super::Failure;
use super::output::print_line;

pub(super) use self::line::EXPORTED;

/// How often a line that makes the service fail is sent.
const TRIES_OF_A_FAILURE: u32 = 3;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// JSON lines, each the body of a create, with or without idempotency_key; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The service to send the users to; without it they go straight into the database of the configuration
    #[arg(long, requires = "credentials", value_parser = service_url)]
    pub(super) url: Option<Url>,
    /// With --url: a file with the client's credentials, as `client create --json` prints them
    #[arg(long, value_name = "FILE", requires = "url")]
    credentials: Option<PathBuf>,
    /// Without --url: the client whose users they become
    #[arg(long, value_name = "ID", conflicts_with = "url", required_unless_present = "url")]
    pub(super) client: Option<Uuid>,
    /// Write refused lines to this file, not to standard error: line, status, code, and path and code of each problem
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How many users are created at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    concurrency: u8,
    /// Refuse lines with keys that the service does not know
    #[arg(long)]
    strict: bool,
}

fn service_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain {
        Ok(url)
    } else {
        Err("accepted: http://HOST:PORT or https://HOST".to_owned())
    }
}

impl ImportArgs {
    /// Sends the users to the service at the URL.
    pub(super) async fn send(self) -> Result<(), Failure> {
        let (url, credentials) = (self.url.clone(), self.credentials.clone());
        let (Some(url), Some(credentials)) = (url, credentials) else {
            return Err("--url and --credentials belong together".into());
        };
        let remote = Remote::open(url, &credentials).await?;
        self.run(Target::Service(Box::new(remote))).await
    }

    /// Creates the users through a gateway in this process, as users of this client.
    pub(super) async fn store(self, gateway: Gateway, client_id: Uuid) -> Result<(), Failure> {
        self.run(Target::Here { gateway, caller: target::caller(client_id) }).await
    }

    async fn run(self, target: Target) -> Result<(), Failure> {
        let file = (self.file.as_os_str() != "-").then_some(self.file.clone());
        let concurrency = usize::from(self.concurrency);
        let lines = reader::start(file, target.client_id(), concurrency)
            .map_err(|error| format!("cannot read {}: {error}", self.file.display()))?;
        let report =
            Report::open(self.report.as_deref()).map_err(|error| format!("cannot write the report: {error}"))?;
        let import = Arc::new(Import { target, report, pace: Pace::default(), is_strict: self.strict });
        let outcome = ReceiverStream::new(lines)
            .map_err(|error| Failure::from(format!("cannot read the file: {error}")))
            .try_for_each_concurrent(concurrency, |line| {
                let import = Arc::clone(&import);
                // A task of its own: the lines share the processors.
                async move { tokio::spawn(async move { import.line(line).await }).await? }
            })
            .await;
        let counts = import.report.end()?;
        print_line(summary(counts))?;
        outcome.map_err(|failure| format!("the import stopped, and goes on when it is run again: {failure}"))?;
        match counts.refused {
            0 => Ok(()),
            refused => Err(format!("{refused} line(s) were refused").into()),
        }
    }
}

fn summary(counts: Counts) -> String {
    let Counts { created, already_there, refused, warned } = counts;
    let warned = if warned > 0 { format!(" With unknown keys: {warned}.") } else { String::new() };
    format!(
        "Lines: {}. Created: {created}. Already there: {already_there}. Refused: {refused}.{warned}",
        counts.lines()
    )
}

/// An import at work.
struct Import {
    target: Target,
    report: Report,
    pace: Pace,
    is_strict: bool,
}

impl Import {
    async fn line(&self, read: ReadLine) -> Result<(), Failure> {
        let ReadLine { number, line } = read;
        let line = match line {
            Ok(line) => line,
            Err(problem) => return Ok(self.report.broken(number, problem)?),
        };
        let line = Arc::new(line);
        let filling = Arc::clone(&line);
        let filled = tokio::task::spawn_blocking(move || files::fill(&filling.line.body, &filling.files)).await?;
        match filled {
            Ok(body) => {
                let answer = self.create(&line, body.into()).await?;
                Ok(self.report.answered(number, &answer)?)
            }
            Err(problem) => Ok(self.report.broken(number, problem)?),
        }
    }

    /// Sends a create until it is answered. Its key makes it safe to send again, whatever became of it.
    async fn create(&self, line: &Ready, body: Bytes) -> Result<Answer, Failure> {
        let mut failures = 0;
        loop {
            self.pace.ready().await;
            let (reason, retry_after) = match self.target.create(line.line.key, body.clone(), self.is_strict).await {
                Err(NoAnswer::Ever(failure)) => return Err(failure),
                Err(NoAnswer::Yet(reason)) => (reason, None),
                Ok(answer) if matches!(answer.status, 408 | 429 | 502 | 503 | 504) => {
                    (format!("the service answers {}", answer.status), answer.retry_after)
                }
                Ok(answer) if answer.status == 500 && failures < TRIES_OF_A_FAILURE - 1 => {
                    failures += 1;
                    ("the service fails".to_owned(), None)
                }
                Ok(answer) => {
                    self.pace.answered();
                    return Ok(answer);
                }
            };
            if !self.pace.slow_down(retry_after) {
                return Err(reason.into());
            }
        }
    }
}
