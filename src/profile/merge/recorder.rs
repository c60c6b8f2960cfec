//! What a merge notes on its way: which fields have another value, what goes, and which place of the request every
//! merged element comes from.

use std::borrow::Cow;
use std::collections::HashSet;

use kira_gateway::problem::{Path, Problems, Step};
use prost_types::value::Kind;
use prost_types::{Struct, Value as JsonValue};
use uuid::Uuid;

use crate::contract::v1;

/// The lists whose elements have identifiers.
pub(super) const LISTS: [&str; 3] = ["associated_persons", "identifying_information", "documents"];
/// The key of a new document that a stored one has no more.
const FILE: &str = "file";

/// A value that a change may bring.
pub(super) trait Value: PartialEq {
    /// Whether it counts as not sent.
    fn is_unsaid(&self) -> bool {
        false
    }

    /// Whether it takes the stored value away.
    fn is_blank(&self) -> bool {
        false
    }
}

impl Value for bool {}
impl Value for f64 {}

impl Value for String {
    fn is_blank(&self) -> bool {
        self.is_empty()
    }
}

/// A value of a list: the unspecified one is as good as none.
impl Value for i32 {
    fn is_unsaid(&self) -> bool {
        *self == 0
    }
}

/// An element that has an identifier.
pub(super) trait Element: Default {
    /// Its identifier.
    fn id(&mut self) -> &mut String;

    /// The identifiers of the documents in it, itself included.
    fn documents(&self) -> Vec<&str>;
}

/// What a change says of an element.
pub(super) trait ElementChange {
    /// The element.
    type Element: Element;

    /// Which one it is; none for one to be removed that is not named.
    fn id(&self) -> Option<&str>;

    /// Whether it is to be removed.
    fn removes(&self) -> bool;

    /// Applies the rest.
    fn apply(self, recorder: &mut Recorder, stored: &mut Self::Element) -> Places;
}

/// Where the elements of the merged lists of one object come from, by the lists' keys.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<(&'static str, Vec<Option<Place>>)>);

/// The place of the request that speaks of a merged element.
#[derive(Debug)]
struct Place {
    index: usize,
    is_new: bool,
    within: Places,
}

impl Places {
    /// Adds the elements of a list that the request speaks of.
    fn add(&mut self, name: &'static str, places: Vec<Option<Place>>) {
        self.0.push((name, places));
    }

    /// A path into the merged user as a path into the request; None where the request does not speak of it.
    pub(super) fn locate(&self, path: &[Step]) -> Option<Vec<Step>> {
        self.locate_in(path, true)
    }

    fn locate_in(&self, path: &[Step], is_new: bool) -> Option<Vec<Step>> {
        let [first @ Step::Key { name, .. }, rest @ ..] = path else { return Some(path.to_vec()) };
        if name == FILE && !is_new {
            return None;
        }
        if !LISTS.contains(&name.as_ref()) {
            return Some(path.to_vec());
        }
        let (_, places) = self.0.iter().find(|(list, _)| list == name)?;
        let [Step::Index(index), rest @ ..] = rest else { return Some(path.to_vec()) };
        let place = places.get(*index)?.as_ref()?;
        let mut located = vec![first.clone(), Step::Index(place.index)];
        located.extend(place.within.locate_in(rest, place.is_new)?);
        Some(located)
    }
}

/// Notes what a merge does.
pub(super) struct Recorder {
    /// The identifiers of what the change adds.
    added: HashSet<String>,
    path: Path,
    /// How many of the enclosing elements are new: what is in them is no change of its own.
    new: usize,
    pub(super) updated: Vec<String>,
    pub(super) removed: Vec<Uuid>,
    pub(super) problems: Problems,
}

impl Recorder {
    pub(super) fn new(added: HashSet<String>) -> Self {
        Self {
            added,
            path: Path::default(),
            new: 0,
            updated: Vec::new(),
            removed: Vec::new(),
            problems: Problems::default(),
        }
    }

    /// Whether the current element is one that the change adds.
    pub(super) fn is_new(&self) -> bool {
        self.new > 0
    }

    /// Goes to a member of the current object.
    pub(super) fn within<T>(&mut self, name: &'static str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.0.push(key(name));
        let done = work(self);
        self.path.0.pop();
        done
    }

    /// Applies one field. What a required text must not be is for the rules to say, hence an empty text is kept until
    /// they have seen it.
    pub(super) fn field<T: Value>(&mut self, name: &str, stored: &mut Option<T>, sent: Option<T>) {
        let Some(sent) = sent.filter(|sent| !sent.is_unsaid()) else { return };
        let same = stored.as_ref().map_or(sent.is_blank(), |stored| *stored == sent);
        if !same {
            self.note(name);
        }
        *stored = Some(sent);
    }

    /// Applies a field that is a list of plain values, as a whole.
    pub(super) fn replace<T: PartialEq>(&mut self, name: &str, stored: &mut Vec<T>, sent: Option<Vec<T>>) {
        let Some(sent) = sent else { return };
        if *stored != sent {
            self.note(name);
            *stored = sent;
        }
    }

    /// Merges the client's own pairs by key; null takes a key away.
    pub(super) fn metadata(&mut self, stored: &mut Option<Struct>, sent: Option<Struct>) {
        let Some(sent) = sent else { return };
        let pairs = &mut stored.get_or_insert_default().fields;
        for (key, value) in sent.fields {
            let name = format!("metadata.{key}");
            let changed = match value.kind {
                None | Some(Kind::NullValue(_)) => pairs.remove(&key).is_some(),
                kind => {
                    let value = JsonValue { kind };
                    let same = pairs.get(&key) == Some(&value);
                    pairs.insert(key, value);
                    !same
                }
            };
            if changed {
                self.note(&name);
            }
        }
    }

    /// Applies what a change says of the elements of a list: changes those it names, adds those it does not, removes.
    pub(super) fn list<C: ElementChange>(
        &mut self,
        places: &mut Places,
        name: &'static str,
        stored: &mut Vec<C::Element>,
        sent: Vec<C>,
    ) {
        if sent.is_empty() {
            return;
        }
        let mut found: Vec<Option<Place>> = stored.iter().map(|_| None).collect();
        for (index, change) in sent.into_iter().enumerate() {
            self.path.0.extend([key(name), Step::Index(index)]);
            self.element(index, stored, &mut found, change);
            self.path.0.truncate(self.path.0.len() - 2);
        }
        places.add(name, found);
    }

    fn element<C: ElementChange>(
        &mut self,
        index: usize,
        stored: &mut Vec<C::Element>,
        places: &mut Vec<Option<Place>>,
        change: C,
    ) {
        let Some(id) = change.id().map(str::to_owned) else {
            return self.problem("id", "invalid_type", "Required");
        };
        if self.added.contains(&id) {
            self.note_here();
            let mut element = C::Element::default();
            *element.id() = id;
            self.new += 1;
            let within = change.apply(self, &mut element);
            self.new -= 1;
            stored.push(element);
            return places.push(Some(Place { index, is_new: true, within }));
        }
        let Some(position) = stored.iter_mut().position(|element| element.id().eq_ignore_ascii_case(&id)) else {
            return self.problem("id", "custom", "There is no such element: leave the id out to add one");
        };
        if change.removes() {
            self.note_here();
            places.remove(position);
            let element = stored.remove(position);
            self.removed.extend(element.documents().into_iter().filter_map(|id| Uuid::try_parse(id).ok()));
            return;
        }
        let within = change.apply(self, &mut stored[position]);
        places[position] = Some(Place { index, is_new: false, within });
    }

    /// Notes that the field `name` of the current object has another value.
    fn note(&mut self, name: &str) {
        if self.new == 0 {
            let place = self.path.to_string();
            self.updated.push(if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") });
        }
    }

    fn note_here(&mut self) {
        if self.new == 0 {
            self.updated.push(self.path.to_string());
        }
    }

    /// Records a problem of the current object's field `name`.
    pub(super) fn problem(&mut self, name: &'static str, code: &'static str, message: &'static str) {
        let mut path = self.path.clone();
        path.0.push(key(name));
        self.problems.push(path, code, message);
    }
}

/// A key whose place in the schema is not known here: its problems are told after those of the rules.
fn key(name: &'static str) -> Step {
    Step::Key { slot: Step::UNKNOWN, name: Cow::Borrowed(name) }
}

impl Element for v1::Document {
    fn id(&mut self) -> &mut String {
        &mut self.id
    }

    fn documents(&self) -> Vec<&str> {
        vec![&self.id]
    }
}

impl Element for v1::Identification {
    fn id(&mut self) -> &mut String {
        &mut self.id
    }

    fn documents(&self) -> Vec<&str> {
        self.documents.iter().flat_map(Element::documents).collect()
    }
}

impl Element for v1::AssociatedPerson {
    fn id(&mut self) -> &mut String {
        &mut self.id
    }

    fn documents(&self) -> Vec<&str> {
        self.identifying_information.iter().flat_map(Element::documents).collect()
    }
}
