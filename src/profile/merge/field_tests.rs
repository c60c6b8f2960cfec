//! Every field of the contract's users, by their descriptors: none is missing from what is derived from the contract.

use kira_gateway::fields::{Fields, find};
use kira_gateway::json::{FromJson, read, to_vec_whole};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use serde_json::{Map, json};

use super::*;
use crate::contract::DESCRIPTORS;
use crate::env::MockClock;
use crate::profile::mask::mask;

/// Of google.api.FieldBehavior.
const OUTPUT_ONLY: i32 = 3;
/// Of kira.api.v1.Sensitivity.
const NUMBER: i32 = 2;

/// A field that a request brings.
struct Leaf {
    path: String,
    sensitivity: i32,
    /// Its value, if it is a text.
    text: Option<String>,
    is_message: bool,
}

/// Makes a JSON object with a value for every field of a message.
struct Filler {
    pool: DescriptorPool,
    leaves: Vec<Leaf>,
}

impl Filler {
    fn new() -> Self {
        let pool = DescriptorPool::decode(DESCRIPTORS).expect("a descriptor set");
        Self { pool, leaves: Vec::new() }
    }

    fn user(&mut self, name: &str) -> Map<String, serde_json::Value> {
        let message = self.pool.get_message_by_name(&format!("kira.users.v1.{name}")).expect("a message");
        let mut object = Map::new();
        self.fill(&message, "", "", &mut object);
        object
    }

    fn option(&self, options: &DynamicMessage, extension: &str, name: &str) -> Option<Value> {
        let extension = self.pool.get_extension_by_name(extension).expect("an option");
        let shape = options.get_extension(&extension).into_owned();
        shape.as_message().and_then(|shape| shape.get_field_by_name(name)).map(|value| value.into_owned())
    }

    fn text(&self, options: &DynamicMessage, extension: &str, name: &str) -> Option<String> {
        let found = self.option(options, extension, name)?;
        found.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn is_output_only(&self, field: &FieldDescriptor) -> bool {
        let extension = self.pool.get_extension_by_name("google.api.field_behavior").expect("an option");
        let behaviors = field.options().get_extension(&extension).into_owned();
        let is_it = |value: &Value| value.as_enum_number() == Some(OUTPUT_ONLY);
        behaviors.as_list().is_some_and(|list| list.iter().any(is_it))
    }

    /// `path` is that of the object, `prefix` what the flattened message puts before its keys.
    fn fill(
        &mut self,
        message: &MessageDescriptor,
        path: &str,
        prefix: &str,
        object: &mut Map<String, serde_json::Value>,
    ) {
        for field in message.fields().filter(|field| !self.is_output_only(field)).collect::<Vec<_>>() {
            let options = field.options();
            let text = |name: &str| self.text(&options, "kira.api.v1.field", name);
            let key = format!("{prefix}{}", text("json_name").unwrap_or_else(|| field.name().to_owned()));
            let inner_prefix = text("flatten_prefix").unwrap_or_default();
            let option = |name: &str| self.option(&options, "kira.api.v1.field", name);
            let is_flat = option("flatten").and_then(|value| value.as_bool()).unwrap_or_default();
            let sensitivity = option("sensitivity").and_then(|value| value.as_enum_number()).unwrap_or_default();
            if let (true, Kind::Message(inner)) = (is_flat, field.kind()) {
                self.fill(&inner, path, &format!("{prefix}{inner_prefix}"), object);
                continue;
            }
            let here = format!("{path}{key}");
            let one_path = if field.is_list() { format!("{here}.0") } else { here.clone() };
            let value = self.value(&field, &one_path);
            let text = value.as_str().filter(|_| matches!(field.kind(), Kind::String)).map(str::to_owned);
            let is_message = matches!(field.kind(), Kind::Message(_));
            self.leaves.push(Leaf { path: here, sensitivity, text, is_message });
            object.insert(key, if field.is_list() { json!([value]) } else { value });
        }
    }

    fn value(&mut self, field: &FieldDescriptor, path: &str) -> serde_json::Value {
        match field.kind() {
            Kind::Bool => json!(true),
            Kind::Double => json!(1.5),
            Kind::String => json!(format!("text-{:04}", self.leaves.len())),
            Kind::Enum(values) => {
                let zero = values.get_value(0).expect("an unspecified value");
                let prefix = zero.name().trim_end_matches("UNSPECIFIED");
                let first = values.values().find(|value| value.number() != 0).expect("a value");
                let name = self.text(&first.options(), "kira.api.v1.value", "json_name");
                json!(name.unwrap_or_else(|| first.name().trim_start_matches(prefix).to_lowercase()))
            }
            Kind::Message(message) if message.full_name() == "google.protobuf.Struct" => json!({"k": "v"}),
            Kind::Message(message) if message.name() == "File" => json!("data:image/jpeg;base64,/9j/4A=="),
            Kind::Message(message) => {
                let mut object = Map::new();
                self.fill(&message, &format!("{path}."), "", &mut object);
                object.into()
            }
            other => panic!("{}: no example of {other:?}", field.full_name()),
        }
    }
}

fn parsed<T: FromJson>(body: &Map<String, serde_json::Value>) -> T::Value {
    let body = read::<T>(&serde_json::to_vec(body).expect("JSON"));
    assert!(body.unknown.is_empty() && body.problems.is_empty(), "the keys of a create are those of a change");
    body.message
}

/// The whole stored user as JSON.
fn whole(profile: &Profile) -> String {
    let json = match profile {
        Profile::Individual(user) => to_vec_whole(user),
        Profile::Business(user) => to_vec_whole(user),
    };
    String::from_utf8(json).expect("UTF-8")
}

fn check<T: Fields>(leaves: &[Leaf], user: &T, mut profile: Profile, empty: Profile, change: Change) {
    for Leaf { path, .. } in leaves {
        assert!(find::<T>(path).is_some(), "{path} has no impact");
    }
    let is_own = |leaf: &&Leaf| !leaf.path.contains('.') && !leaf.is_message;
    let expected: Vec<&str> = leaves.iter().filter(is_own).map(|leaf| &*leaf.path).collect();
    let mut given = Vec::new();
    user.each_given(&mut |name| given.push(name));
    assert_eq!(given, expected, "fields with a value");

    let Ok(Merged { profile: mut changed, updated, .. }) =
        PreparedChange::new(change, &MockClock::at(DateTime::UNIX_EPOCH)).merge(empty)
    else {
        panic!("the same kind")
    };
    each_element_mut(&mut changed, &mut |element| match element {
        AnyElementMut::AssociatedPerson(person) => person.id.clear(),
        AnyElementMut::Identification(entry) => entry.id.clear(),
        AnyElementMut::Document(document) => document.id.clear(),
    });
    assert_eq!(whole(&changed), whole(&profile), "a change of everything");
    for Leaf { path, .. } in leaves.iter().filter(|leaf| !leaf.path.contains(".0.")) {
        let is_named = |updated: &String| updated == path || updated.starts_with(&format!("{path}."));
        assert!(updated.iter().any(is_named), "{path} is not named as updated");
    }

    let shown = format!("{profile:?}");
    let clear = whole(&profile);
    mask(&mut profile);
    let masked = whole(&profile);
    for Leaf { path, sensitivity, text, .. } in leaves {
        let Some(text) = text else { continue };
        assert!(clear.contains(text), "{path} is not stored");
        assert_eq!(shown.contains(text), *sensitivity == 0, "{path} in Debug");
        assert_eq!(masked.contains(text), *sensitivity != NUMBER, "{path} masked");
    }
}

#[test]
fn no_field_of_a_user_is_missing_from_what_is_derived_from_the_contract() {
    let mut filler = Filler::new();
    let body = filler.user("Individual");
    let user = parsed::<v1::Individual>(&body);
    let change = Change::Individual(parsed::<v1::IndividualChange>(&body));
    let profile = Profile::Individual(user.clone());
    check(&filler.leaves, &user, profile, Profile::Individual(v1::Individual::default()), change);

    let mut filler = Filler::new();
    let body = filler.user("Business");
    let user = parsed::<v1::Business>(&body);
    let change = Change::Business(parsed::<v1::BusinessChange>(&body));
    let profile = Profile::Business(user.clone());
    assert!(filler.leaves.iter().filter(|leaf| leaf.sensitivity == NUMBER).count() > 5);
    check(&filler.leaves, &user, profile, Profile::Business(v1::Business::default()), change);
}
