//! Onboards a business with a person and files, waits for the outcome, and prints each event of it:
//! `KIRA_GRPC_URL=… KIRA_CLIENT_ID=… KIRA_PASSWORD=… KIRA_API_KEY=… cargo run -p kira-users-client --example onboard`.

use std::env;
use std::error::Error;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use kira_users_client::{Client, document, v1};

/// Stands for the files of a real business.
const PDF: &[u8] = b"%PDF-1.4\n";

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the example shows what it gets")]
async fn main() -> Result<(), Box<dyn Error>> {
    let kira = Client::builder(env::var("KIRA_GRPC_URL")?)
        .credentials(env::var("KIRA_CLIENT_ID")?, env::var("KIRA_PASSWORD")?, env::var("KIRA_API_KEY")?)
        .connect()?;
    let user = Some(v1::create_user_request::User::Business(business()?));
    let created = kira.users().create_user(v1::CreateUserRequest { user, ..Default::default() }).await?;
    let user = created.into_inner().user.unwrap_or_default();
    println!("created {} {}", user.id, user.status().as_str_name());
    for (target, missing) in &user.missing_fields {
        println!("for {target} it needs {:?}", missing.fields);
    }

    // From the first event on; a program that goes on later keeps the id of the last one.
    let first = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let request = v1::WatchEventsRequest { cursor: first, user_id: Some(user.id), ..Default::default() };
    let mut events = pin!(kira.watch(request));
    if let Some(event) = events.try_next().await? {
        println!("{}", event.event().as_str_name());
    }
    Ok(())
}

fn business() -> Result<v1::Business, Box<dyn Error>> {
    let text = |text: &str| Some(text.to_owned());
    let passport = v1::Identification {
        r#type: Some(v1::IdentificationType::Passport.into()),
        issuing_country: text("GBR"),
        number: text("123456789"),
        documents: vec![document(v1::DocumentType::Front, PDF)?],
        ..Default::default()
    };
    let person = v1::AssociatedPerson {
        first_name: text("Ann"),
        last_name: text("Lee"),
        identifying_information: vec![passport],
        ..Default::default()
    };
    Ok(v1::Business {
        email: text("ann@example.com"),
        business_legal_name: text("Ann Ltd"),
        associated_persons: vec![person],
        ..Default::default()
    })
}
