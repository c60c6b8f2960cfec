//! The command line: what there is to do, and how it ends.
//!
//! Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong.

mod arguments;
mod client_file;
mod clients;
mod health;
mod keys;
mod output;
mod reviews;
#[cfg(test)]
mod tests;
mod webhooks;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use kira_gateway::error::details;
use tonic::Status;

use self::arguments::{Cli, Command};
use self::output::{complain, say};
use self::webhooks::WebhookCommand;
use crate::app::{self, AppError, Opened};
use crate::config::{Config, ConfigError, TelemetryConfig};
use crate::telemetry;

/// How long the end of the process waits for work that cannot be interrupted.
const BLOCKING_TIMEOUT: Duration = Duration::from_secs(1);

/// Whatever made a command fail; its chain of causes is shown.
type Failure = Box<dyn Error + Send + Sync>;

/// A refusal in the words of the API, with every problem of the request.
fn failure(status: Status) -> Failure {
    let mut text = status.message().to_owned();
    for problem in details(&status).into_iter().flat_map(|details| details.violations) {
        text.push_str(&format!("\n  {}: {}", problem.field, problem.description));
    }
    text.into()
}

/// Runs the program as the command line says.
#[must_use]
pub fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(failure.as_ref());
            let misconfigured =
                failure.is::<ConfigError>() || matches!(failure.downcast_ref(), Some(AppError::Config(_)));
            ExitCode::from(if misconfigured { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let command = cli.command.unwrap_or(Command::Serve);
    // The probe of a container may run without the service's configuration.
    if let Command::Healthcheck { url: Some(url) } = &command {
        return health::check(url);
    }
    // So may what a receiver's machine tries.
    if let Command::Webhook(WebhookCommand::Trial(trial)) = command {
        return tokio::runtime::Runtime::new()?.block_on(webhooks::try_out(trial));
    }
    let config = Config::load(cli.config.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let guard = {
        let _context = runtime.enter();
        let serves = matches!(command, Command::Serve | Command::Worker);
        telemetry::init(&if serves { config.telemetry.clone() } else { quiet(&config.telemetry) })?
    };
    let outcome = match command {
        Command::Healthcheck { .. } => health::check(&health::readiness_of(config.server.admin_addr)),
        command => runtime.block_on(execute(command, config)),
    };
    // Before the runtime, which sends the last traces.
    drop(guard);
    // Work of a dropped request may hang in a system call; the end of the process is the end of it.
    runtime.shutdown_timeout(BLOCKING_TIMEOUT);
    outcome
}

async fn execute(command: Command, config: Config) -> Result<(), Failure> {
    match command {
        Command::Migrate => migrate(&config).await,
        Command::Client(command) => clients::execute(command, open_current(&config).await?).await,
        Command::Review(command) => {
            let desk = app::review_desk(&config, &open_current(&config).await?).await?;
            reviews::execute(command, desk).await
        }
        Command::Webhook(command) => {
            let desk = app::webhook_desk(&config, &open_current(&config).await?);
            webhooks::execute(command, desk).await
        }
        Command::Keys(command) => keys::execute(command, open_current(&config).await?, &config.auth).await,
        Command::Worker => Ok(app::work(config).await?),
        Command::Serve | Command::Healthcheck { .. } => Ok(app::serve(config).await?),
    }
}

async fn migrate(config: &Config) -> Result<(), Failure> {
    let applied = app::open(config).await?.store.migrate().await?;
    if applied.is_empty() {
        say("The schema is current; there was nothing to do.")?;
    }
    for name in applied {
        say(format_args!("applied {name}"))?;
    }
    Ok(())
}

/// Opens the store for a command that needs the current schema. The embedded database is brought there on the way; a
/// server's, which other replicas may be using, is the operator's decision.
async fn open_current(config: &Config) -> Result<Opened, Failure> {
    let opened = app::open(config).await?;
    if config.is_embedded() {
        opened.store.migrate().await?;
        return Ok(opened);
    }
    match opened.store.pending_migrations().await?.len() {
        0 => Ok(opened),
        behind => {
            Err(format!("the database schema lacks {behind} migration(s); run `kira-users migrate` first").into())
        }
    }
}

/// Short commands log warnings alone, unless asked for more, and send no traces.
fn quiet(config: &TelemetryConfig) -> TelemetryConfig {
    let log = if config.log == "info" { "warn".to_owned() } else { config.log.clone() };
    TelemetryConfig { log, otlp: None, ..config.clone() }
}
