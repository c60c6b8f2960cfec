//! `keys status` and `keys rotate-master`.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Failure;
use super::output::{print_line, table, time};
use crate::app::Resources;
use crate::service::master_keys::{self, MasterKeyRecord, Progress, Rotation, Usage};
use crate::store::SealedColumn;

/// How often progress is shown.
const STEP: Duration = Duration::from_secs(1);

pub(super) async fn status(resources: &Resources, as_json: bool) -> Result<(), Failure> {
    let keys = master_keys::registered(&resources.store).await?;
    let usage = master_keys::usage(&resources.store).await?;
    let ring: Vec<&str> = resources.vault.key_ids().collect();
    let ids = ids(&ring, &keys, &usage);
    if as_json {
        let keys = ids.iter().map(|id| key_json(id, &ring, &keys, &usage)).collect::<Vec<_>>();
        print_line(json!({ "master_keys": keys }))?;
        return Ok(());
    }
    let mut rows = vec![["KEY", "STATE", "ACTIVE AT", "SEALS"].map(str::to_owned).to_vec()];
    rows.extend(ids.iter().map(|id| {
        let active_at = record(id, &keys).map_or_else(|| "-".to_owned(), |key| time(key.active_at));
        vec![id.clone(), state(id, &ring).to_owned(), active_at, seals(id, &usage)]
    }));
    print_line(table(&rows))?;
    Ok(())
}

pub(super) async fn rotate(resources: &Resources) -> Result<(), Failure> {
    let Resources { store, vault, env, .. } = resources;
    let mut meter = Meter::new();
    let rotation = master_keys::rotate(store, vault, env.as_ref(), |column, done| meter.show(column, done)).await?;
    meter.end();
    print_line(summary(&rotation, vault.active_key_id()))?;
    if rotation.progress.unreadable > 0 {
        return Err("some values do not open; the log names their rows, and no key was released".into());
    }
    Ok(())
}

fn summary(rotation: &Rotation, active: &str) -> String {
    let Progress { read, resealed, .. } = rotation.progress;
    let mut text = format!("{read} values are stored, {resealed} of them were sealed again under {active}.");
    for id in &rotation.removable {
        text.push_str(&format!("\nThe key {id} seals nothing any more: remove it from the ring, and restart."));
    }
    for id in &rotation.needed {
        text.push_str(&format!(
            "\nThe key {id} must stay in the ring: values under it remain, or a process had it as its active key within \
             the last {} minutes. Restart every process with {active} as the first key, and run this again after that.",
            master_keys::IDLE_AFTER.num_minutes()
        ));
    }
    text
}

/// All keys: those of the ring in its order, then those that only the database knows.
fn ids(ring: &[&str], keys: &[MasterKeyRecord], usage: &Usage) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    let known =
        ring.iter().copied().chain(keys.iter().map(|key| key.id.as_str())).chain(usage.keys().map(String::as_str));
    for id in known {
        if !ids.iter().any(|seen| seen == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

fn record<'a>(id: &str, keys: &'a [MasterKeyRecord]) -> Option<&'a MasterKeyRecord> {
    keys.iter().find(|key| key.id == id)
}

fn state(id: &str, ring: &[&str]) -> &'static str {
    match ring.iter().position(|known| *known == id) {
        Some(0) => "active",
        Some(_) => "opens",
        None => "missing",
    }
}

fn seals(id: &str, usage: &Usage) -> String {
    let Some(columns) = usage.get(id) else { return "nothing".to_owned() };
    columns.iter().map(|(column, count)| format!("{count} {column}")).collect::<Vec<_>>().join(", ")
}

fn key_json(id: &str, ring: &[&str], keys: &[MasterKeyRecord], usage: &Usage) -> Value {
    json!({
        "id": id,
        "state": state(id, ring),
        "active_at": record(id, keys).map(|key| time(key.active_at)),
        "seals": usage.get(id).cloned().unwrap_or_default(),
    })
}

/// Shows progress on a terminal, once a second.
struct Meter {
    begun: Instant,
    shown: Instant,
    is_terminal: bool,
}

impl Meter {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, shown: now, is_terminal: io::stderr().is_terminal() }
    }

    fn show(&mut self, column: SealedColumn, done: Progress) {
        if !self.is_terminal || self.shown.elapsed() < STEP {
            return;
        }
        self.shown = Instant::now();
        let rate = done.read as f64 / self.begun.elapsed().as_secs_f64();
        let column: &str = column.into();
        // Progress that cannot be shown is no failure of the work.
        let _ = write!(io::stderr(), "\r{column}: {} read, {} sealed again, {rate:.0}/s  ", done.read, done.resealed);
    }

    fn end(&self) {
        if self.is_terminal {
            let _ = writeln!(io::stderr());
        }
    }
}
