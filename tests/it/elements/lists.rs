//! Whole lists without ids in another order, and persons of the same names: nothing is doubled or mixed up.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::Scene;
use crate::harness::requests::{EXAMPLES, data_uri, example, jpeg};
use crate::updates::support::stored_files;

impl Scene {
    /// Saves a list of the user; what it changed.
    async fn save(&self, list: &str, elements: &Value) -> Value {
        let answer = self.send(Method::PUT, &format!("/v1/users/{}", self.id), json!({list: elements})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["updated_fields"].clone()
    }
}

fn reversed(list: &Value) -> Value {
    list.as_array().expect("a list").iter().rev().cloned().collect()
}

#[tokio::test]
async fn lists_in_another_order_are_the_stored_ones() {
    let scene = Scene::new().await;
    let files = stored_files(&scene.service);
    let body = example(EXAMPLES[3]);
    for list in ["associated_persons", "identifying_information"] {
        assert_eq!(scene.save(list, &reversed(&body[list])).await, json!([]), "{list}");
    }
    let mut person = body["associated_persons"][0].clone();
    let entry = person["identifying_information"][0]["documents"].clone();
    person["identifying_information"][0]["documents"] = reversed(&entry);
    assert_eq!(scene.save("associated_persons", &json!([person])).await, json!([]));
    assert_eq!((scene.shown().await, stored_files(&scene.service)), (scene.before.clone(), files));
}

#[tokio::test]
async fn persons_of_the_same_names_stay_apart() {
    let scene = Scene::new().await;
    let person = |birth_date: &str, title: &str| json!({"first_name": "Ana", "last_name": "Luna", "birth_date": birth_date, "title": title});
    let (mother, daughter) = (person("1960-01-01", "CEO"), person("1990-01-01", "CFO"));
    scene.save("associated_persons", &json!([mother, daughter])).await;
    let stored = scene.persons().await;
    assert_eq!(stored.as_array().map(Vec::len), Some(4));
    assert_eq!(scene.save("associated_persons", &json!([daughter, mother])).await, json!([]));
    assert_eq!(scene.persons().await, stored);
    // Without a date of birth two of one name are as many at every save.
    let unknown = |title: &str| json!({"first_name": "Eva", "last_name": "Luna", "title": title});
    for list in [json!([unknown("CEO"), unknown("CFO")]), json!([unknown("CFO"), unknown("CEO")])] {
        scene.save("associated_persons", &list).await;
        let persons = scene.persons().await;
        let evas = persons.as_array().expect("a list").iter().filter(|person| person["first_name"] == "Eva");
        let mut titles: Vec<_> = evas.map(|person| person["title"].clone()).collect();
        titles.sort_by_key(Value::to_string);
        assert_eq!(titles, ["CEO", "CFO"]);
    }
}

#[tokio::test]
async fn documents_sent_again_are_stored_once_wherever_they_stand() {
    let scene = Scene::new().await;
    let document = |kind: &str, text: &str| json!({"type": kind, "file": data_uri("image/jpeg", &jpeg(text))});
    let (front, back) = (document("front", "a"), document("back", "b"));
    let entry = |documents: Value| json!([{"type": "passport", "issuing_country": "MEX", "number": "G1", "documents": documents}]);
    let files = stored_files(&scene.service);
    scene.save("identifying_information", &entry(json!([front]))).await;
    let fields = scene.save("identifying_information", &entry(json!([back, front, back]))).await;
    assert_eq!(fields, json!(["identifying_information.0.documents.0"]));
    assert_eq!(scene.save("identifying_information", &entry(json!([front, back]))).await, json!([]));
    assert_eq!(stored_files(&scene.service), files + 2);
}
