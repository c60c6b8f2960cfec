//! `archive` and `archive verify`: old events in the object store.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use super::Failure;
use super::arguments::{ArchiveArguments, ArchiveCommand};
use super::output::{print_line, time};
use crate::app::{self, Resources};
use crate::archive::{self, Archiver, Verified};
use crate::config::Config;
use crate::vault::documents::DocumentStore;

pub(super) async fn execute(
    ArchiveArguments { before, command }: ArchiveArguments,
    config: &Config,
    resources: Resources,
) -> Result<(), Failure> {
    let archiver = app::archiver(config, &resources).await?;
    match command {
        None => run(&archiver, config, before.map(|day| day.and_time(NaiveTime::MIN).and_utc())).await,
        Some(ArchiveCommand::Key) => print_line(archiver.key.public()).map_err(Into::into),
        // Without a folder, see `verify_folder`.
        Some(ArchiveCommand::Verify { public_key, .. }) => show(&archiver.verify(public_key.as_deref()).await?),
    }
}

/// Verifies a copy of the archive, without the service's configuration.
pub(super) async fn verify_folder(folder: &str, public_key: Option<&str>) -> Result<(), Failure> {
    if !std::path::Path::new(folder).is_dir() {
        return Err(format!("there is no folder {folder}").into());
    }
    show(&archive::verify(&DocumentStore::open(folder, uuid::Uuid::nil())?, "", public_key).await?)
}

async fn run(archiver: &Archiver, config: &Config, before: Option<DateTime<Utc>>) -> Result<(), Failure> {
    let retention = config.events.retention.and_then(|age| TimeDelta::from_std(age).ok());
    let aged = || archiver.env.now().checked_sub_signed(retention?);
    let before = before.or_else(aged).ok_or("say which events: --before DAY, or the setting KIRA_EVENTS_RETENTION")?;
    let done = archiver.run(before).await?;
    print_line(match done.until {
        Some(until) => format!(
            "Archived {} events in {} files. Events are stored from {} on.",
            done.events,
            done.files,
            time(until)
        ),
        None => "No day of events is to be archived.".to_owned(),
    })?;
    Ok(())
}

fn show(verified: &Verified) -> Result<(), Failure> {
    let keys = verified.public_keys.join(", ");
    print_line(format_args!(
        "The archive is whole: {} events of {} clients in {} files{}{keys}.",
        verified.events,
        verified.clients,
        verified.files,
        if keys.is_empty() { "" } else { ", signed by " }
    ))?;
    Ok(())
}
