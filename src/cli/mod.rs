//! The command line.
//!
//! Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong.

mod archive;
mod arguments;
mod client_file;
mod clients;
mod erasures;
mod export;
mod health;
mod import;
mod keys;
mod master_keys;
mod output;
mod reviews;
mod screening;
mod sinks;
#[cfg(test)]
mod tests;
mod webhooks;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use kira_gateway::error::details;
use tonic::Status;
use uuid::Uuid;

use self::arguments::{ArchiveArguments, ArchiveCommand, Cli, Command, ErasuresCommand};
use self::output::{print_error, print_line};
use self::webhooks::WebhookCommand;
use crate::app::{self, AppError, Resources};
use crate::auth::Role;
use crate::config::{Config, ConfigError, TelemetryConfig};
use crate::telemetry;

/// How long the end of the process waits for work that cannot be interrupted.
const BLOCKING_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a command failed; its chain of causes is printed.
type Failure = Box<dyn Error + Send + Sync>;

/// An error of the API with its text and every violation of the request.
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
            print_error(failure.as_ref());
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
    // So may who verifies a copy of the archive.
    if let Command::Archive(ArchiveArguments {
        command: Some(ArchiveCommand::Verify { folder: Some(folder), public_key }),
        ..
    }) = &command
    {
        let verified = archive::verify_folder(folder, public_key.as_deref());
        return tokio::runtime::Runtime::new()?.block_on(verified);
    }
    // So may who verifies a certificate.
    if let Command::Erasures(ErasuresCommand::Verify { file, public_key }) = &command {
        return erasures::verify_file(file, public_key.as_deref());
    }
    // So may the commands that run on a receiver's machine.
    if let Command::Webhook(WebhookCommand::Local(local)) = command {
        return tokio::runtime::Runtime::new()?.block_on(webhooks::execute_local(local));
    }
    // And so may an import into a service elsewhere.
    let command = match command {
        Command::Import(import) if import.url.is_some() => {
            let runtime = tokio::runtime::Runtime::new()?;
            let outcome = runtime.block_on(import.send());
            // An import that stops may still wait for a line of its input.
            runtime.shutdown_timeout(BLOCKING_TIMEOUT);
            return outcome;
        }
        command => command,
    };
    // And those on files of lists.
    let command = match command {
        Command::Lists(command) => return screening::execute_lists(command),
        Command::Screen(arguments) => return screening::execute_screen(arguments),
        command => command,
    };
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
    // Before the runtime ends, which exports the last traces.
    drop(guard);
    // Work of a dropped request may hang in a system call.
    runtime.shutdown_timeout(BLOCKING_TIMEOUT);
    outcome
}

async fn execute(command: Command, config: Config) -> Result<(), Failure> {
    match command {
        Command::Migrate { wait } => migrate(&config, wait).await,
        Command::Client(command) => clients::execute(command, open_current(&config).await?).await,
        Command::Review(command) => {
            let admin = app::review_admin(&config, &open_current(&config).await?).await?;
            reviews::execute(command, admin).await
        }
        Command::Webhook(command) => {
            let admin = app::webhook_admin(&config, &open_current(&config).await?).await?;
            webhooks::execute(command, admin).await
        }
        Command::Sink(command) => sinks::execute(command, open_current(&config).await?).await,
        Command::Archive(arguments) => archive::execute(arguments, &config, open_current(&config).await?).await,
        Command::Import(import) => {
            let resources = open_current(&config).await?;
            let client_id = client(&resources, import.client).await?;
            import.store(app::users_api(&config, &resources).await?, client_id).await
        }
        Command::Export(export) => {
            let resources = open_current(&config).await?;
            client(&resources, Some(export.client)).await?;
            export.run(app::exporter(&config, &resources).await?, resources.env.as_ref()).await
        }
        Command::Erasures(command) => {
            erasures::execute(command, app::eraser(&config, &open_current(&config).await?).await?).await
        }
        Command::Holds(command) => {
            erasures::execute_holds(command, app::eraser(&config, &open_current(&config).await?).await?).await
        }
        Command::Keys(command) => keys::execute(command, open_current(&config).await?, &config.auth).await,
        Command::Worker => Ok(app::work(config).await?),
        Command::Lists(command) => screening::execute_lists(command),
        Command::Screen(arguments) => screening::execute_screen(arguments),
        Command::Serve | Command::Healthcheck { .. } => Ok(app::serve(config).await?),
    }
}

async fn migrate(config: &Config, wait: Duration) -> Result<(), Failure> {
    let resources = app::open(config).await?;
    app::await_database(&resources.store, wait).await?;
    let applied = resources.store.migrate().await?;
    resources.store.make_partitions(resources.env.now()).await?;
    if applied.is_empty() {
        print_line("The schema is current; no migration was applied.")?;
    }
    for name in applied {
        print_line(format_args!("applied {name}"))?;
    }
    Ok(())
}

/// Opens the existing store for a command that needs the current schema. The embedded database is migrated; a database
/// server, which other replicas may use, is migrated by the operator.
async fn open_current(config: &Config) -> Result<Resources, Failure> {
    let resources = app::open_existing(config).await?;
    if config.is_embedded() {
        resources.store.migrate().await?;
        return Ok(resources);
    }
    app::await_database(&resources.store, Duration::ZERO).await?;
    match resources.store.pending_migrations().await?.len() {
        0 => Ok(resources),
        behind => {
            Err(format!("the database schema lacks {behind} migration(s); run `kira-users migrate` first").into())
        }
    }
}

/// The client of a command, which must be there and be one that has users.
async fn client(resources: &Resources, id: Option<Uuid>) -> Result<Uuid, Failure> {
    let id = id.ok_or("--client is needed")?;
    match resources.store.find_client(id).await? {
        Some(client) if client.role != Role::Client.as_str() => {
            Err(format!("{id} is a {}, who has no users", client.role).into())
        }
        Some(_) => Ok(id),
        None => Err(format!("there is no client {id}").into()),
    }
}

/// Short commands log warnings only, unless configured otherwise, and export no traces.
fn quiet(config: &TelemetryConfig) -> TelemetryConfig {
    let log = if config.log == "info" { "warn".to_owned() } else { config.log.clone() };
    TelemetryConfig { log, otlp: None, ..config.clone() }
}
