//! What can be seen of a user from outside: nothing.

use std::sync::Arc;

use kira_users::store::UserRecord;
use kira_users::vault::{AeadContext, KeyRing, Owner, Vault, VaultError};
use sea_orm::{ConnectionTrait, DatabaseBackend, Statement};

use crate::harness::database::TestDatabase;
use crate::store::sample;

const SECRET: &str = "Ada-Lovelace-078-05-1120";

fn vault() -> Vault {
    let key = base64_simd::STANDARD.encode_to_string([7; 32]);
    Vault::new(KeyRing::parse(&format!("test:{key}")).expect("a good ring"), Arc::new(sample::clock()))
}

fn owner_of(user: &UserRecord) -> Owner {
    Owner { client_id: user.client_id, user_id: user.id }
}

fn open(vault: &Vault, owner: Owner, user: &UserRecord) -> Result<Vec<u8>, VaultError> {
    vault.open_data_key(owner, &user.wrapped_key)?.open(&AeadContext::UserProfile, user.profile.clone())
}

#[tokio::test]
async fn a_profile_is_readable_for_its_owner_and_invisible_in_the_database() {
    let database = TestDatabase::migrated().await;
    let (store, clock, vault) = (database.store().await, sample::clock(), vault());
    let client_id = sample::stored_client(&store, &clock).await;
    let mut new = sample::user(&clock, client_id);
    let (key, wrapped) = vault.new_data_key(Owner { client_id, user_id: new.id });
    new.wrapped_key = wrapped;
    new.profile = key.seal(&AeadContext::UserProfile, SECRET.repeat(100).into_bytes());
    store.create_user(new.clone()).await.expect("a new user");

    let read = store.find_user(client_id, new.id).await.expect("a read").expect("the user");
    assert_eq!(open(&vault, owner_of(&read), &read), Ok(SECRET.repeat(100).into_bytes()));
    let stored = everything_stored(&database).await;
    assert!(contains(&stored, b"user.created"), "the search finds what is in clear");
    assert!(!contains(&stored, SECRET.as_bytes()));
    assert!(!contains(&stored, hex(SECRET).as_bytes()));
}

#[tokio::test]
async fn a_row_whose_sealed_columns_come_from_another_row_does_not_open() {
    let database = TestDatabase::migrated().await;
    let (store, clock, vault) = (database.store().await, sample::clock(), vault());
    let client_id = sample::stored_client(&store, &clock).await;
    let [first, second] = [(); 2].map(|()| {
        let mut new = sample::user(&clock, client_id);
        let (key, wrapped) = vault.new_data_key(Owner { client_id, user_id: new.id });
        new.wrapped_key = wrapped;
        new.profile = key.seal(&AeadContext::UserProfile, SECRET.into());
        new
    });
    let victim = second.id;
    for new in [first, second] {
        store.create_user(new).await.expect("a new user");
    }
    // One column, then all of them, copied by an attacker with access to the database.
    let read = || async { store.find_user(client_id, victim).await.expect("a read").expect("the user") };
    let intruder = database.look().await;
    for column in ["profile", "wrapped_key"] {
        let sql = format!("UPDATE users SET {column} = (SELECT {column} FROM users ORDER BY id LIMIT 1)");
        intruder.execute_unprepared(&sql).await.expect("an update");
        let moved = read().await;
        assert_eq!(open(&vault, owner_of(&moved), &moved), Err(VaultError::DoesNotOpen), "{column}");
    }
}

/// The database file with its log, or every row as text.
async fn everything_stored(database: &TestDatabase) -> Vec<u8> {
    if let Some(folder) = database.folder() {
        let files = std::fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file").path());
        return files.flat_map(|file| std::fs::read(file).expect("a readable file")).collect();
    }
    let connection = database.look().await;
    let query = |sql: &str| connection.query_all_raw(Statement::from_string(DatabaseBackend::Postgres, sql));
    let mut stored = String::new();
    for table in query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await.expect("the tables") {
        let table: String = table.try_get_by_index(0).expect("a name");
        for row in query(&format!("SELECT t::text FROM \"{table}\" t")).await.expect("the rows") {
            stored += &row.try_get_by_index::<String>(0).expect("a row as text");
        }
    }
    stored.into_bytes()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
