//! `erasures erase|show|due|reapply|verify`, and `holds list|place|release`.

use std::path::Path;

use chrono::DateTime;
use futures_util::TryStreamExt as _;
use kira_gateway::json::to_vec;
use serde_json::Value;

use super::arguments::{ErasuresCommand, HoldsCommand, OfUser};
use super::output::{print_line, table, time};
use super::{Failure, failure};
use crate::contract::v1;
use crate::domain::erasure::Authority;
use crate::service::erasures::{Eraser, Expired, Reapplied, shown, verify};
use crate::store::ErasedUser;

pub(super) async fn execute(command: ErasuresCommand, eraser: Eraser) -> Result<(), Failure> {
    match command {
        ErasuresCommand::Erase { user: OfUser { client, user } } => {
            show(&eraser.erase(client, user).await.map_err(failure)?, &eraser)
        }
        ErasuresCommand::Show { user: OfUser { client, user } } => {
            show(&eraser.erased(client, user).await.map_err(failure)?, &eraser)
        }
        ErasuresCommand::Due => due(&eraser).await,
        ErasuresCommand::Reapply => {
            let Reapplied { erased, unreadable } = eraser.reapply().await.map_err(failure)?;
            print_line(format_args!("Erased again: {erased} users."))?;
            if unreadable > 0 {
                return Err(format!(
                    "{unreadable} objects are no certificates of this installation; the log names them"
                )
                .into());
            }
            Ok(())
        }
        ErasuresCommand::Verify { file, public_key } => verify_file(&file, public_key.as_deref()),
    }
}

/// Verifies a certificate, without the service's configuration.
pub(super) fn verify_file(file: &Path, public_key: Option<&str>) -> Result<(), Failure> {
    let json = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let statement = verify(&json, public_key)?;
    print_line(format_args!(
        "The certificate is valid: the user {} of the client {} was erased at {}; signed by {}.",
        statement.user_id, statement.client_id, statement.erased_at, statement.public_key
    ))?;
    Ok(())
}

fn show(erased: &ErasedUser, eraser: &Eraser) -> Result<(), Failure> {
    let shown: Value = serde_json::from_slice(&to_vec(&shown(erased, eraser)))?;
    print_line(serde_json::to_string_pretty(&shown)?)?;
    Ok(())
}

async fn due(eraser: &Eraser) -> Result<(), Failure> {
    let mut rows = 0_u64;
    let mut pages = eraser.expired().await.map_err(failure)?;
    while let Some(page) = pages.try_next().await.map_err(failure)? {
        for Expired { client_id, user_id, status, updated_at } in page {
            rows += 1;
            print_line(format_args!("{user_id}  {client_id}  {:9}  {}", status.into_str(), time(updated_at)))?;
        }
    }
    print_line(format_args!("{rows} users have expired; those on hold, and those within the minimum, stay."))?;
    Ok(())
}

pub(super) async fn execute_holds(command: HoldsCommand, eraser: Eraser) -> Result<(), Failure> {
    let authority = Authority::Operator;
    match command {
        HoldsCommand::List { user: OfUser { client, user } } => {
            let holds = eraser.holds(client, user).await.map_err(failure)?;
            print_line(list_text(&holds))?;
        }
        HoldsCommand::Place { user: OfUser { client, user }, reason } => {
            let (hold, _) = eraser.place_hold(client, user, &reason, authority, None).await.map_err(failure)?;
            print_line(format_args!("The hold {} is placed.", hold.id))?;
        }
        HoldsCommand::Release { user: OfUser { client, user }, hold } => {
            eraser.release_hold((client, user, hold), authority, None).await.map_err(failure)?;
            print_line(format_args!("The hold {hold} is released."))?;
        }
    }
    Ok(())
}

fn list_text(holds: &[v1::Hold]) -> String {
    if holds.is_empty() {
        return "There is no hold on this user.".to_owned();
    }
    let stamp = |at: Option<&prost_types::Timestamp>| {
        at.and_then(|at| DateTime::from_timestamp(at.seconds, 0)).map_or_else(|| "-".to_owned(), time)
    };
    let mut rows = vec![["HOLD ID", "PLACED BY", "PLACED", "RELEASED", "REASON"].map(str::to_owned).to_vec()];
    rows.extend(holds.iter().map(|hold| {
        let placed_by = hold.placed_by().json_name().to_owned();
        let (placed, released) = (stamp(hold.placed_at.as_ref()), stamp(hold.released_at.as_ref()));
        vec![hold.id.clone(), placed_by, placed, released, hold.reason.clone()]
    }));
    table(&rows)
}
