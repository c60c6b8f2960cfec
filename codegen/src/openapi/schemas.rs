//! The JSON Schemas of messages and enums, as requests bring them and as answers show them.

mod values;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use prost_reflect::MessageDescriptor;

use super::base::Base;
use super::json::{Json, Object, object, reference};
use super::text;
use crate::model::{Arity, Field, Form, Leaf, Oneof, Shape, Type};
use crate::names;
use crate::rules::{Rule, Rules};
use crate::schema::Schema;

/// Which side of a call a message is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

/// The component schemas that the operations refer to; each is made when it is first referred to.
pub(super) struct Schemas<'a> {
    pub(super) schema: &'a Schema,
    pub(super) base: &'a Base,
    components: BTreeMap<String, Json>,
}

/// A member of an object.
struct Property {
    /// Places in the order of the JSON object: that of the oneof that holds it, and its own.
    slot: (u32, u32),
    name: String,
    schema: Json,
    required: bool,
    /// Other keys under which a request may bring it.
    aliases: Vec<String>,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(schema: &'a Schema, base: &'a Base) -> Self {
        Self { schema, base, components: BTreeMap::new() }
    }

    /// All components that were referred to, by name.
    pub(super) fn into_components(self) -> BTreeMap<String, Json> {
        self.components
    }

    /// Adds a component of which there is none of this name.
    pub(super) fn add(&mut self, name: &str, make: impl FnOnce() -> Json) -> Json {
        if !self.components.contains_key(name) {
            self.components.insert(name.to_owned(), make());
        }
        reference("schemas", name)
    }

    /// The schema of a message whose own name is its component's: the body of a call.
    ///
    /// `but` are the keys that are not in the body, because they are in the path; `operation` is the id of the call.
    pub(super) fn body(
        &mut self,
        message: &MessageDescriptor,
        side: Side,
        but: &[String],
        operation: &str,
    ) -> Result<Json> {
        let name = message.name().to_owned();
        let schema = self.named(&name, message, side, but)?;
        // Such a message says nothing that its call does not.
        if let Some(Json::Object(component)) = self.components.get_mut(&name)
            && component.get("description").is_none()
        {
            let verb = if side == Side::Request { "takes" } else { "answers" };
            component.set("description", format!("What `{operation}` {verb}."));
        }
        Ok(schema)
    }

    /// Whether a body with this message can have members at all.
    pub(super) fn is_empty(&self, message: &MessageDescriptor, but: &[String]) -> Result<bool> {
        let shape = self.schema.shape(message)?;
        let mut leaves = shape.leaves.iter().filter(|leaf| leaf.is_read());
        Ok(shape.oneofs.is_empty() && leaves.all(|leaf| but.contains(&leaf.name)))
    }

    /// Whether a request without a body is as good as one with an empty object.
    pub(super) fn all_optional(&self, message: &MessageDescriptor, but: &[String]) -> Result<bool> {
        let shape = self.schema.shape(message)?;
        let mut leaves = shape.leaves.iter().filter(|leaf| leaf.is_read() && !but.contains(&leaf.name));
        let mut oneofs = shape.oneofs.iter();
        Ok(leaves.all(|leaf| !self.schema.is_required(&leaf.field))
            && oneofs
                .all(|oneof| (oneof.discriminator.is_none() || oneof.late) && !self.schema.is_required_oneof(oneof)))
    }

    /// Adds to the answer of a call with a body what is said of keys that the service does not know.
    pub(super) fn with_warnings(&mut self, schema: &Json) {
        let Some(name) = schema.text("$ref").rsplit('/').next().map(str::to_owned) else { return };
        let Some(Json::Object(component)) = self.components.get_mut(&name) else { return };
        let variants = component.get("oneOf").map(|variants| variants.items().to_vec()).unwrap_or_default();
        if let Some(Json::Object(properties)) = component.get_mut("properties") {
            let mut warnings = Object::default();
            warnings.set("type", "array");
            warnings.set("items", reference("schemas", "Warning"));
            warnings.set(
                "description",
                "Keys of the request's body that the service does not know, and what else the caller should know. \
                 Absent if there is nothing.",
            );
            properties.set("warnings", warnings);
        }
        variants.iter().for_each(|variant| self.with_warnings(variant));
    }

    /// The schema of a message within another.
    fn message(&mut self, message: &MessageDescriptor, side: Side) -> Result<Json> {
        match (message.full_name(), self.schema.form(message)) {
            ("google.protobuf.Timestamp", _) => {
                return Ok(object([("type", "string".into()), ("format", "date-time".into())]));
            }
            ("google.protobuf.Struct", _) => {
                return Ok(object([("type", "object".into()), ("additionalProperties", true.into())]));
            }
            (name, _) if name.starts_with("google.protobuf.") => bail!("{name} has no schema here"),
            (_, Form::Transparent) => {
                let shape = self.schema.shape(message)?;
                let only = shape.leaves.first().context("a transparent message has a field")?;
                let mut schema = self.field(&only.field, side, false)?;
                let comment = text::comment(&message.parent_file(), message.path());
                if let (Json::Object(schema), false) = (&mut schema, comment.is_empty()) {
                    schema.set("description", comment);
                }
                return Ok(schema);
            }
            (_, Form::DataUri | Form::Object) => {}
        }
        let name = self.component_name(message, side);
        self.named(&name, message, side, &[])
    }

    /// A message on both sides of calls is two components, because answers have what requests do not.
    fn component_name(&self, message: &MessageDescriptor, side: Side) -> String {
        let both = self.schema.is_request(message) && self.schema.is_response(message);
        let suffix = if both && side == Side::Request { "Input" } else { "" };
        format!("{}{suffix}", message.name())
    }

    fn named(&mut self, name: &str, message: &MessageDescriptor, side: Side, but: &[String]) -> Result<Json> {
        if !self.components.contains_key(name) {
            // A message may hold itself.
            self.components.insert(name.to_owned(), Json::Null);
            let made = match self.schema.form(message) {
                Form::DataUri => self.data_uri(message)?,
                _ => self.object(message, side, but).with_context(|| message.full_name().to_owned())?,
            };
            self.components.insert(name.to_owned(), made);
        }
        Ok(reference("schemas", name))
    }

    fn object(&mut self, message: &MessageDescriptor, side: Side, but: &[String]) -> Result<Json> {
        let shape = self.schema.shape(message)?;
        let comment = text::comment(&message.parent_file(), message.path());
        match shape.oneofs.as_slice() {
            [] => {
                let properties = self.leaves(message, &shape, side, None, but)?;
                self.finish(comment, properties, message, side)
            }
            [oneof] if oneof.flatten => self.union(message, &shape, oneof, side, but),
            [oneof, ..] => bail!("{}: no schema of such a oneof", oneof.descriptor.full_name()),
        }
    }

    /// An object whose keys depend on which member of a oneof it is: one component for each.
    fn union(
        &mut self,
        message: &MessageDescriptor,
        shape: &Shape,
        oneof: &Oneof,
        side: Side,
        but: &[String],
    ) -> Result<Json> {
        let place = oneof.descriptor.full_name();
        let discriminator = oneof.discriminator.clone().or_else(|| self.kind_key(shape, oneof));
        let discriminator = discriminator.with_context(|| format!("{place}: no key says which member it is"))?;
        let mut variants = Vec::new();
        let mut mapping = Object::default();
        for field in &oneof.fields {
            let Type::Message(member, _) = &field.r#type else { bail!("{place}: a member that is no message") };
            let mut properties = self.leaves(message, shape, side, Some(&field.json), but)?;
            properties.retain(|property| property.name != discriminator);
            let alone = properties.is_empty();
            let inner = self.schema.shape(member)?;
            let own = self.leaves(member, &inner, side, None, &[])?;
            // What the member says itself wins over what its enclosing message says.
            properties.retain(|property| own.iter().all(|other| other.name != property.name));
            properties
                .extend(own.into_iter().map(|property| Property { slot: (oneof.slot, property.slot.0), ..property }));
            let schema = self.kind_schema(shape, &discriminator, &field.json);
            let slot = shape
                .leaves
                .iter()
                .find(|leaf| leaf.name == discriminator)
                .map_or((oneof.slot, 0), |leaf| (leaf.slot, 0));
            let kind =
                Property { slot, name: discriminator.clone(), schema, required: !oneof.late, aliases: Vec::new() };
            properties.insert(0, kind);
            let name = match alone {
                true => self.component_name(member, side),
                false => format!("{}{}", member.name(), message.name()),
            };
            let comment = text::comment(&member.parent_file(), member.path());
            let made = self.finish(comment, properties, member, side)?;
            let variant = self.add(&name, || made);
            mapping.set(field.json.clone(), variant.text("$ref"));
            variants.push(variant);
        }
        let mut schema = Object::default();
        let comment = text::comment(&message.parent_file(), message.path());
        if !comment.is_empty() {
            schema.set("description", comment);
        }
        if oneof.late {
            // Without the discriminator it may be either.
            schema.set("anyOf", variants);
        } else {
            schema.set("oneOf", variants);
            let found = object([("propertyName", discriminator.into()), ("mapping", mapping.into())]);
            schema.set("discriminator", found);
        }
        Ok(schema.into())
    }

    /// The key of an enum whose values are the names of the oneof's members.
    fn kind_key(&self, shape: &Shape, oneof: &Oneof) -> Option<String> {
        let names: Vec<_> = oneof.fields.iter().map(|field| field.json.clone()).collect();
        let is_kind = |leaf: &&Leaf| {
            let values = text::enum_of(&leaf.field.descriptor).and_then(|found| self.schema.enum_values(&found).ok());
            values.is_some_and(|values| values.into_iter().map(|value| value.json).eq(names.iter().cloned()))
        };
        shape.leaves.iter().find(is_kind).map(|leaf| leaf.name.clone())
    }

    fn kind_schema(&self, shape: &Shape, key: &str, tag: &str) -> Json {
        let mut schema = Object::default();
        schema.set("type", "string");
        schema.set("const", tag);
        let leaf = shape.leaves.iter().find(|leaf| leaf.name == key);
        let comment = leaf.map(|leaf| text::of_field(&leaf.field.descriptor)).unwrap_or_default();
        let comment =
            if comment.is_empty() { "The kind: it decides which other keys there are.".to_owned() } else { comment };
        schema.set("description", comment);
        schema.into()
    }

    /// The members of a message's own, and of the messages that are flattened into it.
    fn leaves(
        &mut self,
        message: &MessageDescriptor,
        shape: &Shape,
        side: Side,
        kind: Option<&str>,
        but: &[String],
    ) -> Result<Vec<Property>> {
        let mut found: Vec<Property> = Vec::new();
        for leaf in &shape.leaves {
            let here = match side {
                Side::Request => leaf.is_read() && !but.contains(&leaf.name),
                Side::Response => leaf.field.header.is_none() && !leaf.input_only,
            };
            if !here || !self.is_of_kind(message, leaf, kind) || found.iter().any(|other| other.name == leaf.name) {
                continue;
            }
            let property = self.property(message, leaf, side);
            found.push(property.with_context(|| leaf.field.descriptor.full_name().to_owned())?);
        }
        Ok(found)
    }

    /// Whether an object of this kind has the leaf.
    fn is_of_kind(&self, message: &MessageDescriptor, leaf: &Leaf, kind: Option<&str>) -> bool {
        let flattened = leaf.way.first().map(|(name, _)| name);
        let outer = message.fields().find(|field| flattened.is_some_and(|name| names::snake(field.name()) == *name));
        std::iter::once(leaf.field.descriptor.clone()).chain(outer).all(|descriptor| {
            let wanted = self.shape_option(&descriptor).and_then(|shape| shape.string("only_with"));
            wanted.is_none_or(|wanted| kind.is_none_or(|kind| kind == wanted))
        })
    }

    fn property(&mut self, message: &MessageDescriptor, leaf: &Leaf, side: Side) -> Result<Property> {
        let field = &leaf.field;
        let options = self.shape_option(&field.descriptor);
        let judged = self.judged(message, leaf)?;
        let rules = Rules::of(self.schema, &judged)?;
        let is_change = judged.descriptor != field.descriptor;
        let mut schema = self.field(&judged_as(field, &judged), side, is_change)?;
        let comment = text::of_field(&field.descriptor);
        let mut notes = vec![if comment.is_empty() { text::title(&leaf.name) } else { comment }];
        if side == Side::Request {
            notes.extend(self.unexpressed(&rules));
            if field.number {
                notes.push(
                    "The whole number: one that is shown masked is refused, unless it is the stored one.".to_owned(),
                );
            }
        }
        let sensitivity = options.as_ref().and_then(|options| options.number("sensitivity"));
        if let Json::Object(schema) = &mut schema {
            notes.retain(|note| !note.is_empty());
            if !notes.is_empty() {
                schema.set("description", notes.join(" "));
            }
            match sensitivity {
                Some(1) => schema.set("x-sensitivity", "personal"),
                Some(2) => schema.set("x-sensitivity", "government-number"),
                Some(3) => {
                    schema.set("x-sensitivity", "secret");
                    schema.set("format", "password");
                }
                _ => {}
            }
        }
        let required = match (side, &field.arity) {
            _ if !leaf.way.is_empty() => false,
            (Side::Request, _) => rules.required && !is_change,
            (Side::Response, _) if options.as_ref().is_some_and(|options| options.flag("always_present")) => true,
            (Side::Response, Arity::Implicit) => !matches!(field.r#type, Type::Enum(_)),
            // What a create demands, an answer shows.
            (Side::Response, Arity::Optional) => rules.required,
            (Side::Response, Arity::List | Arity::Map) => field.emit_empty,
        };
        let aliases = if side == Side::Request { field.aliases.clone() } else { Vec::new() };
        Ok(Property { slot: (leaf.slot, 0), name: leaf.name.clone(), schema, required, aliases })
    }

    /// The field whose rules a value is judged by: that of the message which a change leads to, or the field itself.
    fn judged(&self, message: &MessageDescriptor, leaf: &Leaf) -> Result<Field> {
        let Some(target) = self.base.changes_of(message.name()) else { return Ok(leaf.field.clone()) };
        let name = format!("{}.{target}", message.package_name());
        let mut messages = self.schema.messages(message.package_name()).into_iter();
        let target =
            messages.find(|message| message.full_name() == name).with_context(|| format!("no message {name}"))?;
        let shape = self.schema.shape(&target)?;
        let same = shape.leaves.into_iter().find(|other| other.name == leaf.name);
        Ok(same.map_or_else(|| leaf.field.clone(), |same| same.field))
    }

    /// What the rules say that no JSON Schema can.
    fn unexpressed(&self, rules: &Rules) -> Vec<String> {
        let all = rules.predefined.iter().chain(&rules.cel);
        let silent = all.filter(|rule| self.base.rule(&rule.name).is_some_and(|schema| schema.members().is_empty()));
        silent.map(|rule| format!("{}.", rule.message.trim_end_matches('.'))).collect()
    }

    fn shape_option(&self, descriptor: &prost_reflect::FieldDescriptor) -> Option<crate::options::Options> {
        self.schema.extension(&descriptor.options(), "kira.api.v1.field")
    }

    /// The schema of a field's value.
    ///
    /// `is_change`: the value is one of a change, where an empty text deletes an optional one.
    pub(super) fn field(&mut self, field: &Field, side: Side, is_change: bool) -> Result<Json> {
        let rules = Rules::of(self.schema, field)?;
        let one = self.one(field, &rules, side)?;
        Ok(match field.arity {
            Arity::Implicit | Arity::Optional => one,
            Arity::List => {
                let mut list = Object::default();
                list.set("type", "array");
                list.set("items", one);
                if side == Side::Request && !is_change {
                    rules.min_items.into_iter().for_each(|items| list.set("minItems", items));
                    rules.max_items.into_iter().for_each(|items| list.set("maxItems", items));
                }
                list.into()
            }
            Arity::Map => object([("type", "object".into()), ("additionalProperties", one)]),
        })
    }

    /// The rules of a message as a whole.
    fn message_rules(&self, message: &MessageDescriptor) -> Result<Vec<Rule>> {
        let options = self.schema.extension(&message.options(), "buf.validate.message");
        options.iter().flat_map(|rules| rules.messages("cel")).map(|rule| Rule::of(&rule)).collect()
    }

    /// The JSON Schema of a rule that is a function in Rust.
    fn rule(&self, name: &str) -> Result<&'a Json> {
        self.base.rule(name).with_context(|| format!("no schema of the rule {name}; {{}} if there can be none"))
    }

    /// An object of these properties. `message` is the one whose rules as a whole apply.
    fn finish(
        &self,
        comment: String,
        mut properties: Vec<Property>,
        message: &MessageDescriptor,
        side: Side,
    ) -> Result<Json> {
        properties.sort_by_key(|property| property.slot);
        let mut schema = Object::default();
        schema.set("type", "object");
        if !comment.is_empty() {
            schema.set("description", comment);
        }
        let (mut keys, mut required, mut conditions) = (Object::default(), Vec::new(), Vec::new());
        for property in properties {
            if property.required && property.aliases.is_empty() {
                required.push(property.name.clone());
            }
            for alias in &property.aliases {
                conditions.push(one_name(&property.name, alias, property.required));
                let mut other = property.schema.clone();
                if let Json::Object(other) = &mut other {
                    other.set("description", format!("The same as `{}`.", property.name));
                }
                keys.set(alias.clone(), other);
            }
            keys.set(property.name, property.schema);
        }
        if !required.is_empty() {
            schema.set("required", required);
        }
        schema.set("properties", keys);
        if side == Side::Request {
            for rule in self.message_rules(message)? {
                let condition = self.rule(&rule.name)?;
                if !condition.members().is_empty() {
                    conditions.push(condition.clone());
                }
            }
        }
        match conditions.as_slice() {
            [] => {}
            [only] => schema.extend(only),
            _ => schema.set("allOf", conditions),
        }
        Ok(schema.into())
    }
}

/// At most one of two names for one value, and at least one where it is required. In a form that generators of clients,
/// which have no types for it, pass over.
fn one_name(name: &str, alias: &str, required: bool) -> Json {
    // Linters want every required key declared at the same place.
    let has = |key: &str| {
        let declared = object([(key, Object::default().into())]);
        object([("required", vec![key].into()), ("properties", declared)])
    };
    let mut condition = Object::default();
    condition.set("if", has(alias));
    condition.set("then", object([("not", has(name))]));
    if required {
        condition.set("else", has(name));
    }
    condition.into()
}

/// A field of a change with the rules of the field that it changes.
fn judged_as(field: &Field, judged: &Field) -> Field {
    if std::mem::discriminant(&field.r#type) != std::mem::discriminant(&judged.r#type)
        || matches!(field.r#type, Type::Message(..))
    {
        return field.clone();
    }
    Field { descriptor: judged.descriptor.clone(), ..field.clone() }
}
