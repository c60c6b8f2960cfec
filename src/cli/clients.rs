//! `client create|list|rotate|import|disable`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Failure;
use super::arguments::ClientCommand;
use super::output::{print_line, table, time};
use crate::app::Resources;
use crate::auth::{ClientAdmin, Credentials, Imported, ImportedCredentials, Role, StoreDirectory};
use crate::store::ClientRecord;

pub(super) async fn execute(command: ClientCommand, resources: Resources) -> Result<(), Failure> {
    let directory = StoreDirectory::new(resources.store.clone(), resources.vault);
    let clients = ClientAdmin::open(resources.store, &directory, Arc::clone(&resources.env)).await?;
    match command {
        ClientCommand::Create { name, role, format } => {
            let credentials = clients.create(&name, role).await?;
            print_line(if format.json {
                credentials_json(&credentials, None)?
            } else {
                format!("The {role} {name:?} is created.\n\n{}", credentials_text(&credentials))
            })?;
        }
        ClientCommand::List { format } => {
            let clients = clients.list().await?;
            print_line(if format.json { list_json(&clients).to_string() } else { list_text(&clients) })?;
        }
        ClientCommand::Rotate { id, overlap, format } => {
            if clients.find(id).await?.is_some_and(|client| client.disabled_at.is_some()) {
                return Err(format!("the client {id} is disabled; new credentials would not be accepted").into());
            }
            let overlap = TimeDelta::from_std(overlap)?;
            let ends = resources.env.now() + overlap;
            let credentials = clients.rotate(id, overlap).await?.ok_or_else(|| unknown(id))?;
            print_line(if format.json {
                credentials_json(&credentials, Some(ends))?
            } else {
                let text = credentials_text(&credentials);
                format!("The previous credentials remain valid until {}.\n\n{text}", time(ends))
            })?;
        }
        ClientCommand::Import { file, overlap } => {
            let overlap = TimeDelta::from_std(overlap)?;
            for client in super::client_file::read(&file)? {
                let credentials = client.credentials;
                let imported = clients.import(&client.name, client.role, &credentials, overlap).await?;
                let role = imported.kept_role.unwrap_or(client.role);
                print_line(format_args!(
                    "The {role} {} {}.",
                    credentials.client_id,
                    import_outcome(&imported, client.role)
                ))?;
            }
        }
        ClientCommand::Disable { id } => {
            if !clients.disable(id).await? {
                return Err(unknown(id));
            }
            print_line(format_args!("The client {id} is disabled; every replica rejects it within five seconds."))?;
        }
    }
    Ok(())
}

/// The result of an import, as the predicate of a sentence. The file is imported at every start of an installation, so no
/// result is a failure, which would keep the service from starting.
fn import_outcome(imported: &Imported, role: Role) -> String {
    let mut parts = vec![match imported.credentials {
        ImportedCredentials::Made => "is created".to_owned(),
        ImportedCredentials::Unchanged if imported.is_renamed => "has the same credentials".to_owned(),
        ImportedCredentials::Unchanged => "is unchanged".to_owned(),
        ImportedCredentials::Replaced => "has new credentials".to_owned(),
        ImportedCredentials::NewPassword => "has a new password and the same API key".to_owned(),
        ImportedCredentials::Disabled => "is disabled and stays disabled".to_owned(),
        ImportedCredentials::Outdated => {
            "keeps its newer credentials: the API key of the file was replaced by a rotation".to_owned()
        }
    }];
    if imported.is_renamed {
        parts.push("has a new name".to_owned());
    }
    if let Some(kept) = imported.kept_role {
        parts.push(format!("keeps the role {kept}: the role of a client does not change to {role}"));
    }
    parts.join("; it ")
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
    /// Only for a rotation: until when the previous credentials remain valid.
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
        return "There are no clients yet; `kira-users client create --name NAME` creates one.".to_owned();
    }
    let mut rows = vec![["CLIENT ID", "ROLE", "CREATED", "DISABLED", "NAME"].map(str::to_owned).to_vec()];
    rows.extend(clients.iter().map(|client| {
        let disabled = client.disabled_at.map_or_else(|| "-".to_owned(), time);
        vec![client.id.to_string(), client.role.clone(), time(client.created_at), disabled, client.name.clone()]
    }));
    table(&rows)
}
