//! `client create|list|rotate|import|disable`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Failure;
use super::arguments::ClientCommand;
use super::output::{say, table, time};
use crate::app::Opened;
use crate::auth::{ClientAdmin, Credentials, Imported, StoreDirectory};
use crate::store::ClientRecord;

pub(super) async fn execute(command: ClientCommand, opened: Opened) -> Result<(), Failure> {
    let directory = StoreDirectory::new(opened.store.clone(), opened.vault);
    let clients = ClientAdmin::open(opened.store, &directory, Arc::clone(&opened.ambient)).await?;
    match command {
        ClientCommand::Create { name, role, format } => {
            let credentials = clients.create(&name, role).await?;
            say(if format.json {
                credentials_json(&credentials, None)?
            } else {
                format!("The {role} {name:?} is made.\n\n{}", credentials_text(&credentials))
            })?;
        }
        ClientCommand::List { format } => {
            let clients = clients.list().await?;
            say(if format.json { list_json(&clients).to_string() } else { list_text(&clients) })?;
        }
        ClientCommand::Rotate { id, overlap, format } => {
            if clients.find(id).await?.is_some_and(|client| client.disabled_at.is_some()) {
                return Err(format!("the client {id} is disabled; no credentials would make it welcome").into());
            }
            let overlap = TimeDelta::from_std(overlap)?;
            let ends = opened.ambient.now() + overlap;
            let credentials = clients.rotate(id, overlap).await?.ok_or_else(|| unknown(id))?;
            say(if format.json {
                credentials_json(&credentials, Some(ends))?
            } else {
                let text = credentials_text(&credentials);
                format!("The credentials before stay good until {}.\n\n{text}", time(ends))
            })?;
        }
        ClientCommand::Import { file, overlap } => {
            let overlap = TimeDelta::from_std(overlap)?;
            for client in super::client_file::read(&file)? {
                let credentials = client.credentials;
                let imported = clients.import(&client.name, client.role, &credentials, overlap).await?;
                let state = match imported {
                    Imported::Made => "is made",
                    Imported::Unchanged => "is as it was",
                    Imported::Replaced => "has new credentials",
                    Imported::Disabled => "is disabled and stays so",
                    // The file comes again at every start of an installation: this must not keep it from starting.
                    Imported::Outdated => "keeps its newer credentials: those of the file were replaced by a rotation",
                };
                say(format_args!("The {} {} {state}.", client.role, credentials.client_id))?;
            }
        }
        ClientCommand::Disable { id } => {
            if !clients.disable(id).await? {
                return Err(unknown(id));
            }
            say(format_args!("The client {id} is disabled; every replica refuses it within five seconds."))?;
        }
    }
    Ok(())
}

pub(super) fn unknown(id: Uuid) -> Failure {
    format!("there is no client {id}; `kira-users client list` shows all").into()
}

/// Credentials as JSON, in the order in which they are documented.
#[derive(Serialize)]
struct Shown<'a> {
    client_id: Uuid,
    password: &'a str,
    api_key: &'a str,
    /// Of a rotation alone: until when the credentials before stay good.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_expire_at: Option<String>,
}

pub(super) fn credentials_json(
    credentials: &Credentials,
    previous_expire_at: Option<DateTime<Utc>>,
) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Shown {
        client_id: credentials.client_id,
        password: &credentials.password,
        api_key: &credentials.api_key,
        previous_expire_at: previous_expire_at.map(time),
    })
}

pub(super) fn credentials_text(credentials: &Credentials) -> String {
    let Credentials { client_id, password, api_key } = credentials;
    format!(
        "  client_id  {client_id}\n  password   {password}\n  api_key    {api_key}\n\n\
         Keep them now: the password and the API key are shown this once and cannot be read again."
    )
}

fn list_json(clients: &[ClientRecord]) -> Value {
    let client = |client: &ClientRecord| {
        json!({
            "client_id": client.id,
            "name": client.name,
            "role": client.role,
            "created_at": time(client.created_at),
            "disabled_at": client.disabled_at.map(time),
        })
    };
    clients.iter().map(client).collect()
}

fn list_text(clients: &[ClientRecord]) -> String {
    if clients.is_empty() {
        return "There are no clients yet; `kira-users client create --name NAME` makes one.".to_owned();
    }
    let mut rows = vec![["CLIENT ID", "ROLE", "CREATED", "DISABLED", "NAME"].map(str::to_owned).to_vec()];
    rows.extend(clients.iter().map(|client| {
        let disabled = client.disabled_at.map_or_else(|| "-".to_owned(), time);
        vec![client.id.to_string(), client.role.clone(), time(client.created_at), disabled, client.name.clone()]
    }));
    table(&rows)
}
