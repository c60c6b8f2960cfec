//! What calls about elements promise: other clients see nothing, no update is lost, a repetition changes nothing twice.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::{Scene, code, delete, eva, text};
use crate::harness::requests::{EXAMPLES, example};
use crate::updates::support::{created, send};

/// Every changing call about an element that is there, with a body that it accepts.
fn changes(scene: &Scene) -> Vec<(Method, String, Value)> {
    let entry = |list: &Value| text(&list["identifying_information"][0]["id"]).to_owned();
    let of_user = format!("{}/{}", scene.path("identifying_information"), entry(&scene.before));
    let of_person = format!("{}/identifying_information", scene.person(0));
    let of_person = format!("{of_person}/{}", entry(&scene.before["associated_persons"][0]));
    let tax_id = json!({"type": "tax_id", "issuing_country": "MEX", "number": "T1"});
    let list = |one: &str| one.rsplit_once('/').expect("a path").0.to_owned();
    vec![
        (Method::POST, scene.path("associated_persons"), eva()),
        (Method::PATCH, scene.person(1), json!({"title": "CFO"})),
        (Method::POST, list(&of_user), tax_id.clone()),
        (Method::PATCH, of_user.clone(), json!({"description": "one"})),
        (Method::POST, list(&of_person), tax_id),
        (Method::PATCH, of_person.clone(), json!({"description": "one"})),
        (Method::DELETE, of_user, Value::Null),
        (Method::DELETE, of_person, Value::Null),
        (Method::DELETE, scene.person(0), Value::Null),
    ]
}

async fn call(
    scene: &Scene,
    (method, path, body): &(Method, String, Value),
    headers: &[(&str, &str)],
) -> crate::harness::service::Answer {
    match *method {
        Method::DELETE => scene.delete(path, headers).await,
        _ => scene.send_with(method.clone(), path, headers, body.clone()).await,
    }
}

#[tokio::test]
async fn what_is_another_clients_is_not_there() {
    let scene = Scene::new().await;
    let other = scene.service.client().await;
    for (method, path, body) in changes(&scene) {
        let answer = match method {
            Method::DELETE => delete(&other, &path, &[]).await,
            _ => send(&other, method.clone(), &path, &[], &body).await,
        };
        assert_eq!(code(&answer), (404, json!("not_found")), "{method} {path}");
        assert_eq!(code(&other.get(&path).await), (404, json!("not_found")), "{path}");
    }
    // A person of another user of the same client, neither.
    let second = created(&scene.client, &example(EXAMPLES[3])).await;
    let person = text(&scene.before["associated_persons"][0]["id"]).to_owned();
    let path = format!("/v1/users/{second}/associated_persons/{person}");
    assert_eq!(code(&scene.client.get(&path).await), (404, json!("not_found")));
    assert_eq!(code(&scene.delete(&path, &[]).await), (404, json!("not_found")));
    assert_eq!(scene.shown().await, scene.before);
}

#[tokio::test]
async fn an_old_version_changes_nothing() {
    let scene = Scene::new().await;
    for one in changes(&scene) {
        let answer = call(&scene, &one, &[("if-match", "\"999\"")]).await;
        assert_eq!(code(&answer), (412, json!("precondition_failed")), "{one:?}");
    }
    assert_eq!(scene.shown().await, scene.before);
    let current = scene.client.get(&scene.person(1)).await;
    let etag = current.header("etag").expect("a tag");
    let changed = scene.send_with(Method::PATCH, &scene.person(1), &[("if-match", etag)], json!({"title": "x"})).await;
    assert_eq!(changed.status, 200);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_takes_effect_once() {
    let scene = Scene::new().await;
    for (number, one) in changes(&scene).into_iter().enumerate() {
        let key = Uuid::new_v4().to_string();
        let headers = [("idempotency-key", key.as_str())];
        let first = call(&scene, &one, &headers).await;
        assert!(first.status < 300 && first.header("idempotent-replayed").is_none(), "{one:?}: {}", first.text);
        let user = scene.shown().await;
        let again = call(&scene, &one, &headers).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "{one:?}");
        assert_eq!((again.json(), again.header("etag")), (first.json(), first.header("etag")));
        assert_eq!(scene.shown().await, user);
        let (method, path, body) = one;
        let other = match method {
            Method::DELETE => (method, changes(&scene)[1].1.clone(), body),
            _ => (
                method,
                path,
                json!({"first_name": "x", "last_name": number.to_string(), "description": "x",
                "type": "visa", "issuing_country": "MEX"}),
            ),
        };
        if other.0 != Method::DELETE || number == 8 {
            let refused = call(&scene, &other, &headers).await;
            assert_eq!(code(&refused), (409, json!("idempotency_key_reused")), "{other:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_call_leaves_its_key_free() {
    let scene = Scene::new().await;
    let key = Uuid::new_v4().to_string();
    let headers = [("idempotency-key", key.as_str())];
    let path = scene.path("associated_persons");
    assert_eq!(scene.send_with(Method::POST, &path, &headers, json!({"first_name": "Eva"})).await.status, 400);
    let added = scene.send_with(Method::POST, &path, &headers, eva()).await;
    assert_eq!((added.status, added.header("idempotent-replayed")), (201, None));
}

#[tokio::test]
async fn of_additions_at_once_none_is_lost_and_the_same_one_is_there_once() {
    let scene = Scene::new().await;
    let path = scene.path("associated_persons");
    let person = |number: usize| json!({"first_name": format!("Eva {number}"), "last_name": "Luna"});
    // Each twice.
    let calls = (0..8).map(|number| scene.send(Method::POST, &path, person(number / 2)));
    let answers = join_all(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    for pair in answers.chunks(2) {
        assert_eq!(pair[0].json()["id"], pair[1].json()["id"]);
    }
    assert_eq!(scene.persons().await.as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn of_repetitions_at_once_one_adds() {
    let scene = Scene::new().await;
    let (path, key) = (scene.path("associated_persons"), Uuid::new_v4().to_string());
    let headers = [("idempotency-key", key.as_str())];
    let calls: Vec<_> = (0..6).map(|_| scene.send_with(Method::POST, &path, &headers, eva())).collect();
    let answers = join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count(), 1);
    assert!(answers.iter().all(|answer| answer.json() == answers[0].json()));
    assert_eq!(scene.persons().await.as_array().map(Vec::len), Some(3));
}
