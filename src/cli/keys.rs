//! `keys list|rotate`: the keys that sign access tokens; `keys status|rotate-master`: the master keys.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::arguments::KeysCommand;
use super::output::{print_line, table, time};
use super::{Failure, master_keys};
use crate::app::Resources;
use crate::auth::{PUBLICATION_DELAY, REFRESH_INTERVAL, StoreDirectory, rotate_signing_key};
use crate::config::AuthConfig;
use crate::store::SigningKeyRecord;

pub(super) async fn execute(command: KeysCommand, resources: Resources, config: &AuthConfig) -> Result<(), Failure> {
    match command {
        KeysCommand::List => {
            let keys = resources.store.signing_keys().await?;
            print_line(list_text(keys, resources.env.now()))?;
        }
        KeysCommand::Status { format } => master_keys::status(&resources, format.json).await?,
        KeysCommand::RotateMaster => master_keys::rotate(&resources).await?,
        KeysCommand::Rotate => {
            let directory = StoreDirectory::new(resources.store, resources.vault);
            let lifetime = TimeDelta::from_std(config.token_lifetime)?;
            let env = Arc::clone(&resources.env);
            let rotation = rotate_signing_key(&directory, env.as_ref(), lifetime, PUBLICATION_DELAY).await?;
            print_line(format_args!(
                "The key {} is stored. Running servers publish it within {} seconds; it signs from {}, and those \
                 before it verify until {}.",
                rotation.kid,
                REFRESH_INTERVAL.as_secs(),
                time(rotation.signs_from),
                time(rotation.others_retire_at)
            ))?;
        }
    }
    Ok(())
}

fn list_text(mut keys: Vec<SigningKeyRecord>, now: DateTime<Utc>) -> String {
    if keys.is_empty() {
        return "There are no keys yet; the service creates the first one when it starts.".to_owned();
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.signs_from));
    let is_retired = |key: &SigningKeyRecord| key.retires_at.is_some_and(|at| at <= now);
    let signing = keys.iter().position(|key| key.signs_from <= now && !is_retired(key));
    let mut rows = vec![["KEY", "STATE", "SIGNS FROM", "RETIRES"].map(str::to_owned).to_vec()];
    rows.extend(keys.iter().enumerate().map(|(index, key)| {
        let state = match index {
            _ if is_retired(key) => "retired",
            _ if key.signs_from > now => "published",
            index if Some(index) == signing => "signing",
            _ => "verifying",
        };
        let retires = key.retires_at.map_or_else(|| "-".to_owned(), time);
        vec![key.kid.clone(), state.to_owned(), time(key.signs_from), retires]
    }));
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_shows_the_state_of_each_key() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).expect("in range");
        let key = |kid: &str, signs_from: i64, retires_at: Option<i64>| SigningKeyRecord {
            kid: kid.to_owned(),
            public_key: Vec::new(),
            sealed_private_key: Vec::new(),
            created_at: now,
            signs_from: now + TimeDelta::minutes(signs_from),
            retires_at: retires_at.map(|minutes| now + TimeDelta::minutes(minutes)),
        };
        let keys = vec![key("a", -30, Some(-1)), key("b", -20, Some(50)), key("c", -10, Some(60)), key("d", 10, None)];
        let text = list_text(keys, now);
        let states: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split_whitespace().take(2).collect()).collect();
        assert_eq!(states, [["d", "published"], ["c", "signing"], ["b", "verifying"], ["a", "retired"]]);
    }
}
