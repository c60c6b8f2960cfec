//! What a merge notes on its way: which fields have another value, what goes, and which place of the request every
//! merged element comes from.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use kira_gateway::change::{Apply, Element, ElementChange, Merge, MergeList, Value};
use kira_gateway::problem::{Path, Problems, Step};
use prost_types::value::Kind;
use prost_types::{Struct, Value as JsonValue};
use uuid::Uuid;

use super::Received;
use super::identity::{Digests, Known, Recognize, matches};
use crate::contract::rules;
use crate::contract::v1::{self, AnyElement};
use crate::domain::writing::compact;
use crate::profile::mask::is_mask_of;
use crate::profile::metadata::Added;

/// The lists whose elements have identifiers.
pub(super) const LISTS: [&str; 3] = ["associated_persons", "identifying_information", "documents"];
/// How many elements of one list a change may speak of: all that a list may have, each removed and replaced.
const MOST_CHANGES: usize = 200;
/// The key of a new document that a stored one has no more.
const FILE: &str = "file";
/// The key of the client's own pairs.
const METADATA: &str = "metadata";

/// A stored element of a list.
pub(super) trait StoredElement: Element + Default + Known {
    /// The element as the contract's visitor shows it.
    fn any(&self) -> AnyElement<'_>;

    /// Whether it has the file with this SHA-256.
    fn has_file(&self, _sha256: &str) -> bool {
        false
    }
}

/// What was sent as the user's metadata, merged when all that the service adds to it is known.
pub(super) struct SentMetadata {
    pairs: Struct,
    /// Where it is named in the list of updated fields.
    position: usize,
}

/// Where the elements of the merged lists of one object come from, by the lists' keys.
#[derive(Debug, Default)]
pub(super) struct Origins(Vec<(&'static str, Vec<Option<Origin>>)>);

/// The place of the request that speaks of a merged element.
#[derive(Debug)]
struct Origin {
    index: usize,
    is_new: bool,
    within: Origins,
}

impl Origins {
    /// Adds the elements of a list that the request speaks of.
    fn add(&mut self, name: &'static str, origins: Vec<Option<Origin>>) {
        self.0.push((name, origins));
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
        let (_, origins) = self.0.iter().find(|(list, _)| list == name)?;
        let [Step::Index(index), rest @ ..] = rest else { return Some(path.to_vec()) };
        let place = origins.get(*index)?.as_ref()?;
        let mut located = vec![first.clone(), Step::Index(place.index)];
        located.extend(place.within.locate_in(rest, place.is_new)?);
        Some(located)
    }
}

/// Notes what a merge does.
pub(super) struct Recorder {
    /// The identifiers of what the change adds.
    added: HashSet<String>,
    /// The files that the change brings.
    digests: Digests,
    /// The files that were received before the change.
    pub(super) received: Received,
    path: Path,
    /// How many of the enclosing elements are new: what is in them is no change of its own.
    new: usize,
    /// Where the elements of the current object come from.
    origins: Origins,
    /// Whether the current document has the file that the change brings for it.
    has_file: bool,
    /// Whether the current document gets the file that the change brings for it in place of its own.
    replaces_file: bool,
    metadata: Option<SentMetadata>,
    pub(super) updated: Vec<String>,
    /// Those of the updated fields that say the same number in another way of writing.
    pub(super) respelled: HashSet<String>,
    pub(super) removed: Vec<Uuid>,
    pub(super) problems: Problems,
    /// The ids of the elements that the request speaks of, by their places in it.
    pub(super) ids: HashMap<String, String>,
}

impl Recorder {
    pub(super) fn new(added: HashSet<String>, digests: Digests, received: Received) -> Self {
        Self {
            added,
            digests,
            received,
            path: Path::default(),
            new: 0,
            origins: Origins::default(),
            has_file: false,
            replaces_file: false,
            metadata: None,
            updated: Vec::new(),
            respelled: HashSet::new(),
            removed: Vec::new(),
            problems: Problems::default(),
            ids: HashMap::new(),
        }
    }

    /// Merges the client's own pairs by key; null deletes a key. What the service adds, `before` the change and `after`
    /// it, is no pair of the client's: shown, it may be sent back.
    pub(super) fn merge_metadata(&mut self, stored: &mut Option<Struct>, (before, after): (&Added, &Added)) {
        let Some(SentMetadata { pairs: sent, position }) = self.metadata.take() else { return };
        let own = &mut stored.get_or_insert_default().fields;
        let mut changed = false;
        for (key, value) in sent.fields {
            if [before, after].iter().any(|added| added.get(&key).is_some_and(|pair| shows(&key, &value, &pair.value)))
                || own.get(&key).is_some_and(|stored| shows(&key, &value, stored))
            {
                continue;
            }
            let deletes = matches!(value.kind, Some(Kind::NullValue(_)));
            match after.get(&key).or(before.get(&key)) {
                Some(_) if deletes && own.contains_key(&key) => changed |= own.remove(&key).is_some(),
                Some(pair) => {
                    let message = format!("Is added by the service: change `{}`", pair.source);
                    self.problem_within(METADATA, key, message);
                }
                None if deletes => changed |= own.remove(&key).is_some(),
                None => {
                    own.insert(key, value);
                    changed = true;
                }
            }
        }
        if changed {
            self.updated.insert(position, METADATA.to_owned());
        }
    }

    /// Where the elements of the user come from, once the change is applied.
    pub(super) fn take_origins(&mut self) -> Origins {
        std::mem::take(&mut self.origins)
    }

    /// Which stored element each of the sent is that names none, by index and position.
    fn known<C>(&self, stored: &[C::Stored], ids: &[String], sent: &[C]) -> HashMap<usize, usize>
    where
        C: ElementChange + Recognize,
        C::Stored: StoredElement,
    {
        let is_unnamed = |change: &C| change.id().as_ref().is_some_and(|id| self.added.contains(id));
        let named: HashSet<String> = sent
            .iter()
            .filter(|change| !is_unnamed(change))
            .filter_map(|change| change.id().as_deref().map(str::to_ascii_lowercase))
            .collect();
        let free = ids.iter().map(|id| !named.contains(&id.to_ascii_lowercase())).collect();
        let mut said: HashSet<&str> = HashSet::new();
        let unnamed = sent.iter().enumerate().filter(|(_, change)| is_unnamed(change));
        let unnamed: Vec<_> =
            unnamed.filter(|(_, change)| change.id().as_ref().is_some_and(|id| said.insert(id))).collect();
        matches(stored, free, &unnamed, &self.digests)
    }

    fn element<C>(
        &mut self,
        index: usize,
        stored: &mut Vec<C::Stored>,
        origins: &mut Vec<Option<Origin>>,
        known: Option<&str>,
        change: C,
    ) where
        C: ElementChange + Recognize + Apply<Self>,
        C::Stored: StoredElement,
    {
        let Some(id) = change.id().clone() else {
            return self.problem("id", "invalid_type", "Required");
        };
        let stored_id = known.unwrap_or(&id);
        self.ids.insert(self.path.to_string(), stored_id.to_owned());
        let position = stored.iter().position(|element| element.id().eq_ignore_ascii_case(stored_id));
        if known.is_none() && self.added.contains(&id) {
            self.note_here();
            let mut element = C::Stored::default();
            // Its file was judged as it was received.
            let is_new = !self.received.contains_key(&id);
            *element.id_mut() = id;
            self.new += 1;
            let within = self.apply_within(change, &mut element);
            self.new -= 1;
            stored.push(element);
            return origins.push(Some(Origin { index, is_new, within }));
        }
        let Some(position) = position else {
            return self.problem("id", "custom", "There is no such element: leave the id out to add one");
        };
        if change.deletes() {
            self.note_here();
            origins.remove(position);
            let element = stored.remove(position);
            self.remove_documents(element.any());
            return;
        }
        let within = self.apply_within(change, &mut stored[position]);
        origins[position] = Some(Origin { index, is_new: false, within });
    }

    /// Applies what a change says of one element, and returns where the elements in it come from.
    fn apply_within<C>(&mut self, change: C, stored: &mut C::Stored) -> Origins
    where
        C: ElementChange + Apply<Self>,
        C::Stored: StoredElement,
    {
        let received = change.id().as_ref().and_then(|id| self.received.get(id));
        self.replaces_file = received.is_some_and(|file| file.replaces);
        let sha256 = change.id().as_ref().and_then(|id| self.digests.get(id));
        self.has_file = sha256.is_some_and(|sha256| stored.has_file(sha256));
        let outer = std::mem::take(&mut self.origins);
        change.apply(stored, self);
        std::mem::replace(&mut self.origins, outer)
    }

    /// Notes that the documents of a removed element, itself included, are no longer the user's.
    fn remove_documents(&mut self, element: AnyElement<'_>) {
        let mut see = |element: AnyElement<'_>| {
            if let AnyElement::Document(document) = element {
                self.removed.extend(Uuid::try_parse(&document.id));
            }
        };
        match element {
            AnyElement::AssociatedPerson(person) => person.each_element(&mut see),
            AnyElement::Identification(entry) => entry.each_element(&mut see),
            AnyElement::Document(document) => document.each_element(&mut see),
        }
        see(element);
    }

    /// Notes that the field `name` of the current object has another value.
    fn note(&mut self, name: &str) {
        if self.new == 0 {
            self.updated.push(self.place_of(name));
        }
    }

    fn place_of(&self, name: &str) -> String {
        let place = self.path.to_string();
        if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
    }

    fn note_here(&mut self) {
        if self.new == 0 {
            self.updated.push(self.path.to_string());
        }
    }

    /// Records a problem of the current object's field `name`.
    fn problem(&mut self, name: &'static str, code: &'static str, message: &'static str) {
        let mut path = self.path.clone();
        path.0.push(key(name));
        self.problems.push(path, code, message);
    }

    /// Records a problem of a key of the free structure `name`.
    fn problem_within(&mut self, name: &'static str, free: String, message: String) {
        let mut path = self.path.clone();
        path.0.extend([key(name), Step::Key { slot: 0, name: Cow::Owned(free) }]);
        self.problems.push(path, "custom", message);
    }
}

impl Merge for Recorder {
    /// What a required text must not be is for the rules to say, hence an empty text is kept until they have seen it.
    fn scalar<T: Value>(&mut self, name: &'static str, stored: &mut Option<T>, sent: Option<T>) {
        let Some(sent) = sent else { return };
        let same = stored.as_ref().map_or(sent.is_blank(), |stored| *stored == sent);
        if !same {
            self.note(name);
        }
        *stored = Some(sent);
    }

    /// A number that is sent back masked, as a response shows it, is the stored one. One that is only written in another
    /// way is noted as such.
    fn number(&mut self, name: &'static str, stored: &mut Option<String>, sent: Option<String>) {
        if let (Some(sent), Some(known)) = (&sent, &*stored) {
            if is_mask_of(sent, known) {
                return;
            }
            if sent != known && compact(sent) == compact(known) {
                self.respelled.insert(self.place_of(name));
            }
        }
        self.scalar(name, stored, sent);
    }

    fn replace<T: PartialEq>(&mut self, name: &'static str, stored: &mut Vec<T>, sent: Option<Vec<T>>) {
        let Some(sent) = sent else { return };
        if *stored != sent {
            self.note(name);
            *stored = sent;
        }
    }

    /// The only free object of a user is its metadata.
    fn object(&mut self, _: &'static str, _: &mut Option<Struct>, sent: Option<Struct>) {
        self.metadata = sent.map(|pairs| SentMetadata { pairs, position: self.updated.len() });
    }

    fn file<T>(&mut self, name: &'static str, stored: &mut Option<T>, sent: Option<T>) {
        match sent {
            Some(_) if self.has_file => {}
            Some(_) if self.replaces_file => {
                self.note(name);
                *stored = sent;
            }
            Some(_) if self.new == 0 => {
                self.problem(name, "custom", "A stored file cannot change: remove the document and add another");
            }
            sent => *stored = stored.take().or(sent),
        }
    }

    fn enter(&mut self, name: &'static str) {
        self.path.0.push(key(name));
    }

    fn leave(&mut self) {
        self.path.0.pop();
    }
}

impl<C> MergeList<C> for Recorder
where
    C: ElementChange + Recognize + Apply<Self>,
    C::Stored: StoredElement,
{
    /// Changes the elements that are named and those that are recognized without a name, adds the others, and deletes.
    fn list(&mut self, name: &'static str, stored: &mut Vec<C::Stored>, sent: Vec<C>) {
        if sent.is_empty() {
            return;
        }
        // Each is looked for among the stored ones.
        if sent.len() > MOST_CHANGES {
            return self.problem(name, "too_big", "Array must contain at most 200 element(s)");
        }
        let ids: Vec<String> = stored.iter().map(|element| element.id().clone()).collect();
        let known = self.known(stored, &ids, &sent);
        let mut found: Vec<Option<Origin>> = stored.iter().map(|_| None).collect();
        let mut unnamed: HashSet<String> = HashSet::new();
        for (index, change) in sent.into_iter().enumerate() {
            // The request says the same twice.
            let id = change.id().as_ref().filter(|id| self.added.contains(*id));
            if id.is_some_and(|id| !unnamed.insert(id.clone())) {
                continue;
            }
            self.path.0.extend([key(name), Step::Index(index)]);
            self.element(index, stored, &mut found, known.get(&index).map(|position| &*ids[*position]), change);
            self.path.0.truncate(self.path.0.len() - 2);
        }
        self.origins.add(name, found);
    }
}

/// Whether `sent` is `stored` as an answer shows it.
fn shows(key: &str, sent: &JsonValue, stored: &JsonValue) -> bool {
    match (&sent.kind, &stored.kind) {
        (Some(Kind::StringValue(sent)), Some(Kind::StringValue(stored))) => {
            sent == stored || rules::is_number_key(key) && is_mask_of(sent, stored)
        }
        _ => sent == stored,
    }
}

/// A key; its place in the schema is given when all problems are known.
fn key(name: &'static str) -> Step {
    Step::Key { slot: Step::UNKNOWN, name: Cow::Borrowed(name) }
}

impl StoredElement for v1::Document {
    fn any(&self) -> AnyElement<'_> {
        self.into()
    }

    fn has_file(&self, sha256: &str) -> bool {
        self.sha256 == sha256
    }
}

impl StoredElement for v1::Identification {
    fn any(&self) -> AnyElement<'_> {
        self.into()
    }
}

impl StoredElement for v1::AssociatedPerson {
    fn any(&self) -> AnyElement<'_> {
        self.into()
    }
}
