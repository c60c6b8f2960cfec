//! Identifiers for what a change adds, and the form in which two changes that say the same are equal.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use kira_gateway::change::ElementChange;
use prost::Message;
use ring::digest;

use super::identity::Digests;
use crate::contract::v1;
use crate::contract::v1::AnyElementChangeMut;
use crate::contract::v1::update_user_request::User as Change;
use crate::env::Env;

/// Gives every element that has no identifier one, those that say the same in one list the same one. The new
/// identifiers, and the digests of the files by the identifiers of their documents.
pub(super) fn name(change: &mut Change, env: &dyn Env) -> (HashSet<String>, Digests) {
    let mut named = Named::default();
    match change {
        Change::Individual(user) => {
            named.entries(&mut user.identifying_information, env);
            named.list(&mut user.documents, env);
        }
        Change::Business(user) => {
            for person in &mut user.associated_persons {
                named.entries(&mut person.identifying_information, env);
            }
            named.list(&mut user.associated_persons, env);
            named.entries(&mut user.identifying_information, env);
            named.list(&mut user.documents, env);
        }
    }
    (named.added, named.digests)
}

/// The change without the identifiers that it was given, and with the digest of each file in place of its content.
pub(super) fn canonical_form(mut change: Change, added: &HashSet<String>, digests: &Digests) -> Vec<u8> {
    let mut reduce = |element: AnyElementChangeMut<'_>| reduce(element, added, digests);
    match &mut change {
        Change::Individual(user) => user.each_element_mut(&mut reduce),
        Change::Business(user) => user.each_element_mut(&mut reduce),
    }
    let mut bytes = Vec::new();
    change.encode(&mut bytes);
    bytes
}

/// Brings an element into the canonical form. What is in it has been brought before.
fn reduce(element: AnyElementChangeMut<'_>, added: &HashSet<String>, digests: &Digests) {
    let id = match element {
        AnyElementChangeMut::AssociatedPersonChange(person) => &mut person.id,
        AnyElementChangeMut::IdentificationChange(entry) => &mut entry.id,
        AnyElementChangeMut::DocumentChange(document) => {
            let digest = document.id.as_ref().and_then(|id| digests.get(id));
            if let (Some(file), Some(digest)) = (&mut document.file, digest) {
                file.content = Bytes::from(digest.clone());
            }
            &mut document.id
        }
    };
    // The request did not bring it.
    if id.as_ref().is_some_and(|id| added.contains(id)) {
        *id = None;
    }
}

/// An element of a list of a change.
trait Sent: Clone + Message + ElementChange {
    /// The file that it brings.
    fn file(&self) -> Option<&Bytes> {
        None
    }

    /// Brings it and what is in it into the canonical form.
    fn reduce(&mut self, added: &HashSet<String>, digests: &Digests);
}

#[derive(Default)]
struct Named {
    added: HashSet<String>,
    digests: Digests,
}

impl Named {
    fn entries(&mut self, list: &mut [v1::IdentificationChange], env: &dyn Env) {
        for entry in &mut *list {
            self.list(&mut entry.documents, env);
        }
        self.list(list, env);
    }

    fn list<T: Sent>(&mut self, list: &mut [T], env: &dyn Env) {
        let mut said: HashMap<Vec<u8>, String> = HashMap::new();
        for element in list {
            let is_new = element.id().is_none() && !element.deletes();
            if is_new {
                let id = env.new_id().to_string();
                self.added.insert(id.clone());
                *element.id_mut() = Some(id);
            }
            let digest = element.file().map(|content| digest::digest(&digest::SHA256, content));
            if let (Some(id), Some(digest)) = (element.id().clone(), digest) {
                self.digests.insert(id, hex::encode(digest));
            }
            let Some(id) = element.id().clone().filter(|_| is_new) else { continue };
            let mut form = element.clone();
            form.reduce(&self.added, &self.digests);
            let first = said.entry(form.encode_to_vec()).or_insert_with(|| id.clone());
            if *first != id {
                self.added.remove(&id);
                self.digests.remove(&id);
                *element.id_mut() = Some(first.clone());
            }
        }
    }
}

impl Sent for v1::DocumentChange {
    fn file(&self) -> Option<&Bytes> {
        self.file.as_ref().map(|file| &file.content)
    }

    fn reduce(&mut self, added: &HashSet<String>, digests: &Digests) {
        reduce(self.into(), added, digests);
    }
}

impl Sent for v1::IdentificationChange {
    fn reduce(&mut self, added: &HashSet<String>, digests: &Digests) {
        self.each_element_mut(&mut |element| reduce(element, added, digests));
        reduce(self.into(), added, digests);
    }
}

impl Sent for v1::AssociatedPersonChange {
    fn reduce(&mut self, added: &HashSet<String>, digests: &Digests) {
        self.each_element_mut(&mut |element| reduce(element, added, digests));
        reduce(self.into(), added, digests);
    }
}
