//! Pages by offset and by cursor, and their links.

use serde_json::json;

use crate::harness::service::{Client, Service};
use crate::lookup::support::{created, found, grpc_list, ids, list, listed, named};
use crate::promises::support::{execute, problems};

/// All ids of a list by its cursors, over REST.
async fn to_the_end(client: &Client, query: &[(&str, &str)]) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = query.to_vec();
        query.extend(cursor.iter().map(|cursor| ("cursor", cursor.as_str())));
        let answer = listed(client, &query).await;
        all.extend(ids(&answer));
        let next = answer["pagination"]["next_cursor"].as_str().map(str::to_owned);
        assert_eq!(answer["pagination"]["has_more"], json!(next.is_some()));
        match next {
            Some(next) => cursor = Some(next),
            None => return all,
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_by_offset_and_by_cursor() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut all = Vec::new();
    for number in 0..7 {
        let kind = if number % 2 == 0 { "Even" } else { "Odd" };
        all.push(created(&service, &client, &named(kind, "Person")).await);
    }
    all.reverse();
    for limit in ["1", "2", "7", "100"] {
        assert_eq!(to_the_end(&client, &[("limit", limit)]).await, all, "{limit}");
        assert_eq!(to_the_end(&client, &[("limit", limit), ("type", "individual")]).await, all, "{limit}");
        assert_eq!(to_the_end(&client, &[("limit", limit), ("q", "pers")]).await, all, "{limit}");
        let even: Vec<_> = all.iter().step_by(2).cloned().collect();
        assert_eq!(to_the_end(&client, &[("limit", limit), ("q", "person even")]).await, even, "{limit}");
    }
    for query in [vec![], vec![("status", "CREATED")], vec![("email", "someone@example.com")]] {
        let page = |offset| [query.clone(), vec![("limit", "3"), ("offset", offset)]].concat();
        assert_eq!(found(&client, &page("0")).await, (all[..3].to_vec(), 7));
        assert_eq!(found(&client, &page("3")).await, (all[3..6].to_vec(), 7));
        assert_eq!(found(&client, &page("6")).await, (all[6..].to_vec(), 7));
        assert_eq!(found(&client, &page("9")).await, (Vec::new(), 7));
    }
}

#[tokio::test]
async fn what_follows_a_cursor_does_not_change_when_users_are_created() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(created(&service, &client, &named("Ada", "Lovelace")).await);
    }
    all.reverse();
    for query in [vec![("limit", "2")], vec![("limit", "2"), ("q", "ada")]] {
        let first = listed(&client, &query).await;
        created(&service, &client, &named("Ada", "Newer")).await;
        let cursor = first["pagination"]["next_cursor"].as_str().expect("a cursor");
        let rest = listed(&client, &[query.clone(), vec![("cursor", cursor)]].concat()).await;
        let (seen, rest) = (ids(&first), ids(&rest));
        assert_eq!(rest.len(), 2);
        assert!(rest.iter().all(|id| all.contains(id) && !seen.contains(id)), "{seen:?} {rest:?}");
        let over_grpc = grpc_list(&client, &[query.clone(), vec![("cursor", cursor)]].concat()).await.expect("a list");
        assert_eq!(over_grpc.data.iter().map(|user| user.id.clone()).collect::<Vec<_>>(), rest);
        all.splice(0..0, [ids(&listed(&client, &[("limit", "1")]).await)[0].clone()]);
    }
}

#[tokio::test]
async fn the_cursor_of_another_client_or_other_filters_is_refused() {
    let service = Service::start().await;
    let (client, other) = (service.client().await, service.client().await);
    for client in [&client, &client, &other, &other] {
        created(&service, client, &named("Ada", "Lovelace")).await;
    }
    let query = [("limit", "1"), ("q", "ada")];
    let cursor = listed(&client, &query).await["pagination"]["next_cursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(listed(&client, &[("limit", "50"), ("q", "ada"), ("cursor", &cursor)]).await["data"][1], json!(null));
    let message = "Must be the next_cursor of an answer to the same filters";
    let expected = [["cursor", message, "custom"].map(str::to_owned)];
    for (client, query) in [
        (&other, vec![("q", "ada"), ("cursor", &*cursor)]),
        (&client, vec![("q", "adam"), ("cursor", &*cursor)]),
        (&client, vec![("cursor", &*cursor)]),
        (&client, vec![("q", "ada"), ("status", "CREATED"), ("cursor", &*cursor)]),
        (&client, vec![("q", "ada"), ("cursor", &cursor[..20])]),
    ] {
        assert_eq!(problems(&list(client, &query).await), expected, "{query:?}");
    }
}

#[tokio::test]
async fn links_lead_through_the_list() {
    let service = Service::start().await;
    let client = service.client().await;
    for _ in 0..5 {
        created(&service, &client, &named("Ada", "Lovelace")).await;
    }
    let answer = list(&client, &[("limit", "2"), ("offset", "2"), ("type", "individual")]).await;
    let cursor = answer.json()["pagination"]["next_cursor"].as_str().expect("a cursor").to_owned();
    let rest = "/v1/users?limit=2&type=individual";
    assert_eq!(
        answer.header("link"),
        Some(&*format!("<{rest}>; rel=\"first\", <{rest}>; rel=\"prev\", <{rest}&cursor={cursor}>; rel=\"next\""))
    );
    let last = client.get(&format!("{rest}&cursor={cursor}")).await;
    assert_eq!((last.status, ids(&last.json()).len()), (200, 1));
    assert_eq!(last.header("link"), Some(&*format!("<{rest}>; rel=\"first\"")));
    let deliveries = client.get("/v1/webhooks/deliveries?limit=5&offset=5").await;
    let first = "</v1/webhooks/deliveries?limit=5>";
    assert_eq!(deliveries.header("link"), Some(&*format!("{first}; rel=\"first\", {first}; rel=\"prev\"")));
}

#[tokio::test]
async fn a_search_with_more_candidates_than_are_opened_at_once_finds_all_page_by_page() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut wanted = Vec::new();
    for number in 0..230 {
        // The first five letters are the same.
        let last = if number % 50 == 0 { "Fernandez" } else { "Fernando" };
        let id = created(&service, &client, &named("Ada", last)).await;
        wanted.extend((number % 50 == 0).then_some(id));
    }
    wanted.reverse();
    assert_eq!(to_the_end(&client, &[("limit", "2"), ("q", "fernandez")]).await, wanted);
    let (ids, total) = found(&client, &[("limit", "3"), ("offset", "1"), ("q", "fernandez")]).await;
    assert_eq!((ids, total), (wanted[1..4].to_vec(), 230), "the total counts what begins alike, as documented");
    let (_, total) = found(&client, &[("limit", "3"), ("q", "ada fernandez")]).await;
    assert_eq!(total, 230);
}

#[tokio::test]
async fn a_user_that_does_not_open_is_left_out_and_keeps_no_other_from_being_listed() {
    let service = Service::start().await;
    let client = service.client().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(created(&service, &client, &named("Ada", "Lovelace")).await);
    }
    let broken =
        "UPDATE users SET profile = wrapped_key WHERE id IN (SELECT id FROM users ORDER BY id LIMIT 1 OFFSET 1)";
    execute(&service.database, broken).await;
    for query in [vec![("limit", "1")], vec![("limit", "1"), ("q", "love")]] {
        assert_eq!(to_the_end(&client, &query).await, [all[2].clone(), all[0].clone()], "{query:?}");
    }
}
