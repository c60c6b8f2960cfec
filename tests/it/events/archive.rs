//! Old events in the archive.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use kira_users::app;
use kira_users::archive::{ArchiveError, Archived, Archiver, verify};
use kira_users::contract::v1;
use kira_users::contract::v1::events_service_client::EventsServiceClient;
use sea_orm::ConnectionTrait as _;
use serde_json::json;

use crate::events::support::{page, text, users};
use crate::harness::service::{Client, Service, config};

/// The cursor before the first event.
const FIRST: &str = "00000000-0000-0000-0000-000000000000";

/// A service with two clients, whose users were made on two days; the second is today.
struct World {
    service: Service,
    client: Client,
    other: Client,
    archiver: Archiver,
}

impl World {
    async fn new() -> Self {
        let settings = [("KIRA_TOKEN_LIFETIME", "30d")];
        let service = Service::start_with(&settings).await;
        let (client, other) = (service.client().await, service.client().await);
        users(&client, 3).await;
        users(&other, 2).await;
        service.clock.advance(TimeDelta::days(2));
        users(&client, 2).await;
        let config = config(&service.database, &service.folder, &settings);
        let archiver = app::archiver(&config, &service.running.resources).await.expect("the archive opens");
        Self { service, client, other, archiver }
    }

    /// Lets the relay of webhooks pass all events.
    async fn relay(&self) {
        self.service.running.sender.drain().await.expect("the database answers");
    }

    /// The start of today.
    fn today(&self) -> DateTime<Utc> {
        "2026-11-25T00:00:00Z".parse().expect("a time")
    }

    async fn archive(&self) -> Archived {
        self.archiver.run(self.today()).await.expect("the archive takes them")
    }

    /// The files of the archive whose names end so.
    fn files(&self, end: &str) -> Vec<PathBuf> {
        let folder = self.service.folder.path().join("documents").join(self.archiver.objects.archive());
        let clients = std::fs::read_dir(folder).expect("the archive");
        let files = clients.flat_map(|client| std::fs::read_dir(client.expect("a folder").path()).expect("a folder"));
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.retain(|file| file.to_string_lossy().ends_with(end));
        files.sort_unstable();
        files
    }

    async fn verify(&self) -> Result<(usize, usize, u64), ArchiveError> {
        let verified = self.archiver.verify(None).await?;
        Ok((verified.clients, verified.files, verified.events))
    }
}

#[tokio::test]
async fn the_events_of_a_day_move_to_signed_files_and_the_list_says_where_it_begins() {
    let world = World::new().await;
    let before = page(&world.client, &format!("cursor={FIRST}")).await;
    assert_eq!((before["data"].as_array().map(Vec::len), before.get("begins_at")), (Some(5), None));
    world.relay().await;
    let archived = world.archive().await;
    let until = "2026-11-24T00:00:00Z".parse().ok();
    assert_eq!(archived, Archived { events: 5, files: 2, until });
    assert_eq!(world.service.database.count("events").await, 2);
    assert_eq!(world.verify().await.expect("a whole archive"), (2, 2, 5));

    for query in [String::new(), format!("cursor={FIRST}")] {
        let after = page(&world.client, &query).await;
        assert_eq!(
            (after["data"].as_array().map(Vec::len), &after["begins_at"]),
            (Some(2), &json!("2026-11-24T00:00:00Z"))
        );
    }
    assert_eq!(page(&world.other, "").await["begins_at"], "2026-11-24T00:00:00Z", "nothing is stored of it");
    let file =
        world.files(".jsonl").into_iter().find(|file| file.to_string_lossy().contains(&world.client.id.to_string()));
    let lines = std::fs::read_to_string(file.expect("a file")).expect("a text");
    let archived: Vec<_> =
        lines.lines().map(|line| text(&serde_json::from_str(line).expect("JSON"), "/event_id")).collect();
    let listed: Vec<_> =
        before["data"].as_array().expect("a list").iter().map(|event| text(event, "/data/event_id")).collect();
    assert_eq!(archived, listed[..3]);
}

#[tokio::test]
async fn a_cursor_among_archived_events_is_told_where_events_begin() {
    let world = World::new().await;
    let before = page(&world.client, "").await;
    let cursor = |index: usize| text(&before["data"][index], "/data/event_id");
    world.relay().await;
    world.archive().await;
    for path in ["/v1/events", "/v1/events:watch"] {
        let answer = world.client.get(&format!("{path}?cursor={}", cursor(1))).await;
        assert_eq!((answer.status, &answer.json()["code"]), (410, &json!("events_archived")), "{}", answer.text);
        assert!(answer.text.contains("2026-11-24T00:00:00Z"), "{}", answer.text);
    }
    let request = v1::ListEventsRequest { cursor: Some(cursor(0)), ..Default::default() };
    let mut calls = EventsServiceClient::new(world.client.channel.clone());
    let status = calls.list_events(world.client.call(request)).await.expect_err("an old cursor");
    assert_eq!(status.code(), tonic::Code::OutOfRange, "{status:?}");
    // Behind the last that is archived nothing is missing.
    let rest = page(&world.client, &format!("cursor={}", cursor(2))).await;
    assert_eq!(rest["data"].as_array().map(Vec::len), Some(2));
    let request = v1::WatchEventsRequest { cursor: Some(FIRST.to_owned()), ..Default::default() };
    let mut stream = calls.watch_events(world.client.call(request)).await.expect("a stream").into_inner();
    let first = stream.message().await.expect("a message").expect("an event");
    let second = stream.message().await.expect("a message").expect("an event");
    assert_eq!(first.begins_at.map(|at| at.seconds), Some(1_795_478_400), "2026-11-24");
    assert_eq!(second.begins_at, None);
}

#[tokio::test]
async fn what_the_relay_has_not_passed_and_what_is_not_old_enough_stays() {
    let world = World::new().await;
    world.service.running.resources.store.assign_positions().await.expect("positions");
    assert_eq!(world.archive().await, Archived::default(), "the relay is behind");
    world.relay().await;
    let early = "2026-11-23T23:59:59Z".parse().expect("a time");
    assert_eq!(world.archiver.run(early).await.expect("nothing"), Archived::default(), "the day is not over then");
    assert_eq!(world.archive().await.events, 5);
    assert_eq!(world.archive().await, Archived::default(), "a second run finds nothing");
    world.service.clock.advance(TimeDelta::days(1));
    let tomorrow = "2026-11-26T00:00:00Z".parse().expect("a time");
    assert_eq!(world.archiver.run(tomorrow).await.expect("the next day").events, 2);
    assert_eq!(world.verify().await.expect("a whole archive"), (2, 3, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let world = World::new().await;
    world.relay().await;
    // Dropping it is what a crash leaves: some files, a commit without its deletions.
    for steps in 0..60 {
        let mut run = Box::pin(world.archiver.run(world.today()));
        for _ in 0..steps * 40 {
            if run.as_mut().now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    world.archive().await;
    assert_eq!(world.verify().await.expect("a whole archive"), (2, 2, 5));
    assert_eq!(world.service.database.count("events").await, 2);
}

#[tokio::test]
async fn a_file_that_was_changed_or_left_out_is_found() {
    let world = World::new().await;
    world.relay().await;
    world.archive().await;
    world.service.clock.advance(TimeDelta::days(1));
    world.archiver.run("2026-11-26T00:00:00Z".parse().expect("a time")).await.expect("the next day");
    let problem = async || world.verify().await.expect_err("a broken archive").to_string();
    for (end, expected) in
        [(".jsonl", "its SHA-256 is not that of the manifest"), (".manifest.json", "its signature is not valid")]
    {
        let file = world.files(end).remove(0);
        let bytes = std::fs::read(&file).expect("a file");
        let changed =
            String::from_utf8(bytes.clone()).expect("a text").replacen("\": 1", "\": 2", 1).replacen("\":1", "\":2", 1);
        std::fs::write(&file, changed).expect("a change");
        assert!(problem().await.contains(expected), "{}", problem().await);
        std::fs::write(&file, bytes).expect("the change undone");
    }
    let of_client: Vec<_> = world
        .files("")
        .into_iter()
        .filter(|file| file.to_string_lossy().contains(&world.client.id.to_string()))
        .collect();
    let first: Vec<_> = of_client.iter().filter(|file| file.to_string_lossy().contains("2026-11-23")).collect();
    assert_eq!(first.len(), 3);
    let whole: Vec<_> = first.iter().map(|file| std::fs::read(file).expect("a file")).collect();
    first.iter().for_each(|file| std::fs::remove_file(file).expect("a file"));
    assert!(problem().await.contains("the manifest before it is missing or was changed"), "{}", problem().await);
    first.iter().zip(whole).for_each(|(file, bytes)| std::fs::write(file, bytes).expect("a file"));
    assert_eq!(world.verify().await.expect("a whole archive"), (2, 3, 7));
    let last: Vec<_> = of_client.iter().filter(|file| file.to_string_lossy().contains("2026-11-25")).collect();
    last.iter().for_each(|file| std::fs::rename(file, file.with_extension("away")).expect("a file"));
    assert!(problem().await.contains("its last manifest is missing"), "{}", problem().await);
    let other_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let verified = verify(&world.archiver.objects, &world.archiver.objects.archive(), Some(other_key)).await;
    assert!(verified.is_err(), "another key has not signed it");
}

#[tokio::test]
async fn whole_blocks_of_events_go_with_their_partitions() {
    if crate::harness::database::engine() == kira_users::store::Engine::Sqlite {
        return;
    }
    let world = World::new().await;
    let look = world.service.database.look().await;
    // Blocks of four events, as if the service had run for long.
    let blocks = "DROP TABLE events_1_1000000; \
                  CREATE TABLE events_1_4 PARTITION OF events FOR VALUES FROM (MINVALUE) TO (5); \
                  CREATE TABLE events_5_1000000 PARTITION OF events FOR VALUES FROM (5) TO (1000001)";
    let moved =
        format!("CREATE TEMPORARY TABLE kept AS SELECT * FROM events; {blocks}; INSERT INTO events SELECT * FROM kept");
    world.relay().await;
    look.execute_unprepared(&moved).await.expect("blocks");
    assert_eq!(world.archive().await.events, 5);
    assert_eq!(world.service.database.count("pg_class WHERE relname = 'events_1_4'").await, 0);
    assert_eq!(world.service.database.count("events").await, 2);
    assert_eq!(page(&world.client, "").await["data"].as_array().map(Vec::len), Some(2));
}
