//! The JSON Schemas of values that are no objects: texts, numbers, enums, bytes, data URIs.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use prost_reflect::{EnumDescriptor, MessageDescriptor};

use super::{Schemas, Side};
use crate::model::{Field, Type};
use crate::openapi::json::{Json, Object, object};
use crate::openapi::text;
use crate::rules::Rules;

impl Schemas<'_> {
    pub(super) fn one(&mut self, field: &Field, rules: &Rules, side: Side) -> Result<Json> {
        let mut schema = Object::default();
        match &field.r#type {
            Type::Bool => schema.set("type", "boolean"),
            Type::String => return self.string(rules, side),
            Type::Bytes => {
                schema.set("type", "string");
                schema.set("contentEncoding", "base64");
            }
            Type::Number(rust) => {
                let is_integer = !rust.starts_with('f');
                ensure!(!rust.ends_with("64") || !is_integer, "{}: 64 bits", field.descriptor.full_name());
                schema.set("type", if is_integer { "integer" } else { "number" });
                let unsigned = [(0.0, false, true), (f64::from(u32::MAX), false, false)];
                let own = [true, false].map(|lower| rules.limits.iter().find(|limit| limit.2 == lower).copied());
                for (limit, of_type) in own.into_iter().zip(unsigned) {
                    let of_type = (*rust == "u32" && (side == Side::Request || of_type.2)).then_some(of_type);
                    let Some((number, exclusive, lower)) = limit.or(of_type) else { continue };
                    let key = match (lower, exclusive) {
                        (true, false) => "minimum",
                        (true, true) => "exclusiveMinimum",
                        (false, false) => "maximum",
                        (false, true) => "exclusiveMaximum",
                    };
                    schema.set(key, number);
                }
            }
            Type::Enum(_) => {
                let found = text::enum_of(&field.descriptor).context("an enum")?;
                return self.r#enum(&found);
            }
            Type::Message(message, _) => {
                let message = self.message(message, side)?;
                schema.extend(&message);
            }
        }
        if side == Side::Request {
            for rule in &rules.cel {
                schema.extend(self.rule(&rule.name)?);
            }
        }
        Ok(schema.into())
    }

    fn string(&mut self, rules: &Rules, side: Side) -> Result<Json> {
        let mut schema = Object::default();
        schema.set("type", "string");
        if rules.uuid {
            schema.set("format", "uuid");
        }
        // An empty text is of none of the forms, and is as good as no text.
        let or_empty = side == Side::Request && rules.min_len.unwrap_or_default() == 0 && !rules.required;
        for rule in rules.predefined.iter().chain(&rules.cel) {
            let form = self.rule(&rule.name)?;
            match (form.get("$ref"), side) {
                (Some(list), _) => schema = Object(vec![("$ref".to_owned(), list.clone())]),
                (None, Side::Request) => schema.extend(form),
                (None, Side::Response) => {
                    form.get("format").into_iter().for_each(|it| schema.set("format", it.clone()))
                }
            }
        }
        let is_list = schema.get("$ref").is_some();
        if is_list && or_empty {
            let empty = object([("type", "string".into()), ("const", "".into())]);
            return Ok(object([("anyOf", vec![Json::Object(schema), empty].into())]));
        }
        if side == Side::Request && !is_list {
            rules.min_len.into_iter().for_each(|length| schema.set("minLength", length));
            rules.max_len.into_iter().for_each(|length| schema.set("maxLength", length));
            if !or_empty && schema.get("pattern").is_none() && rules.min_len.is_some() {
                // At least one character that shows.
                schema.set("pattern", "\\S");
            }
        }
        if or_empty && let Some(Json::String(pattern)) = schema.get_mut("pattern") {
            let whole = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
            *pattern = whole.map(|whole| format!("^(?:{whole})?$")).context("a pattern is of the whole text")?;
            // The format would forbid the empty text.
            schema.0.retain(|(key, _)| key != "format");
        }
        Ok(schema.into())
    }

    fn r#enum(&mut self, descriptor: &EnumDescriptor) -> Result<Json> {
        let values = self.schema.enum_values(descriptor)?;
        let file = descriptor.parent_file();
        let mut descriptions = Object::default();
        for value in &values {
            let declared = descriptor.get_value(value.number).context("a value of this enum")?;
            let comment = text::comment(&file, declared.path());
            descriptions.set(value.json.clone(), if comment.is_empty() { text::title(&value.json) } else { comment });
        }
        let comment = text::comment(&file, descriptor.path());
        let names: Vec<_> = values.into_iter().map(|value| value.json).collect();
        Ok(self.add(descriptor.name(), || {
            let mut schema = Object::default();
            schema.set("type", "string");
            if !comment.is_empty() {
                schema.set("description", comment);
            }
            schema.set("enum", names);
            schema.set("x-enumDescriptions", descriptions);
            schema.into()
        }))
    }

    /// A text `data:<media type>;base64,<payload>`.
    pub(super) fn data_uri(&mut self, message: &MessageDescriptor) -> Result<Json> {
        let shape = self.schema.shape(message)?;
        let (mut media_types, mut longest) = (Vec::new(), None);
        for leaf in &shape.leaves {
            match &leaf.field.r#type {
                Type::Enum(_) => {
                    let found = text::enum_of(&leaf.field.descriptor).context("an enum")?;
                    media_types = self.schema.enum_values(&found)?.into_iter().map(|value| value.json).collect();
                }
                _ => longest = Rules::of(self.schema, &leaf.field)?.max_len,
            }
        }
        let mut schema = Object::default();
        schema.set("type", "string");
        let mut comment = text::comment(&message.parent_file(), message.path());
        if let Some(longest) = longest {
            write!(comment, " At most {longest} bytes once decoded.")?;
        }
        schema.set("description", comment.trim());
        schema.set("pattern", format!("^data:(?:{});base64,[A-Za-z0-9+/]+={{0,2}}$", media_types.join("|")));
        for rule in self.message_rules(message)? {
            schema.extend(self.rule(&rule.name)?);
        }
        if let Some(longest) = longest {
            let head = media_types.iter().map(String::len).max().unwrap_or_default() + "data:;base64,".len();
            schema.set("maxLength", head + longest.div_ceil(3) * 4);
        }
        Ok(schema.into())
    }
}
