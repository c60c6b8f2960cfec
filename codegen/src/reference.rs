//! The tables of the API reference, from the same descriptors and options as the code: every call, every field of every
//! message and every value of every enum, as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use heck::ToShoutySnakeCase;
use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, ServiceDescriptor};

use crate::model::{Arity, Field, Form, Leaf, Oneof, Type};
use crate::rules::Rules;
use crate::schema::Schema;
use crate::service::{Binding, Body, bindings};

/// Enums of more values than this are printed as lists of values, grouped by their comments.
const LONGEST_TABLE: usize = 40;

/// The parts of the reference, each a Markdown text.
#[derive(Debug)]
pub struct Reference {
    /// Each service with its calls, and the messages that only these take and answer.
    pub calls: String,
    /// The messages that others consist of.
    pub messages: String,
    /// Every enum that a message holds.
    pub enums: String,
    /// The reasons of errors.
    pub reasons: String,
}

/// Makes the reference of the services of all packages.
pub(crate) fn reference(schema: &Schema, packages: &[String]) -> Result<Reference> {
    let services: Vec<_> = packages.iter().flat_map(|package| schema.services(package)).collect();
    let mut reference =
        Reference { calls: String::new(), messages: String::new(), enums: String::new(), reasons: String::new() };
    let mut printed = BTreeSet::new();
    for service in &services {
        reference.calls.push_str(&self::service(schema, service, &mut printed)?);
    }
    let mut messages: Vec<_> = packages.iter().flat_map(|package| schema.messages(package)).collect();
    messages.retain(|message| schema.is_request(message) || schema.is_response(message));
    messages.retain(|message| !printed.contains(message.full_name()) && schema.form(message) == Form::Object);
    messages.sort_by_key(|message| message.name().to_owned());
    for message in &messages {
        reference.messages.push_str(&self::message(schema, message, "###", None)?);
    }
    for r#enum in used_enums(schema, packages) {
        reference.enums.push_str(&self::r#enum(schema, &r#enum)?);
    }
    for r#enum in packages.iter().flat_map(|package| schema.enums(package)) {
        reference.reasons.push_str(&reasons(schema, &r#enum)?);
    }
    Ok(reference)
}

fn service(schema: &Schema, service: &ServiceDescriptor, printed: &mut BTreeSet<String>) -> Result<String> {
    let mut text = format!("### {}\n\n", service.name());
    paragraph(&mut text, &comment(&service.parent_file(), service.path()));
    text.push_str("| Call | REST | Permission | Success | What it does |\n|---|---|---|---|---|\n");
    let bindings = bindings(schema, service)?;
    for method in service.methods() {
        let policy = schema.extension(&method.options(), "kira.api.v1.method");
        let number = |name: &str| policy.as_ref().and_then(|policy| policy.number(name)).filter(|number| *number != 0);
        let success = number("success_code").unwrap_or(200);
        let mut success = success.to_string();
        if let Some(replay) = number("replay_code") {
            write!(success, ", replayed {replay}")?;
        }
        let permission = policy.as_ref().and_then(|policy| policy.string("permission"));
        let permission = permission.map_or_else(|| "none".to_owned(), |permission| format!("`{permission}`"));
        let routes: Vec<_> = bindings.iter().filter(|binding| binding.method == method).map(route).collect();
        let comment = line(&comment(&service.parent_file(), method.path()));
        writeln!(text, "| `{}` | {} | {permission} | {success} | {comment} |", method.name(), routes.join("<br>"))?;
    }
    text.push('\n');
    for method in service.methods() {
        let binding = bindings.iter().find(|binding| binding.method == method);
        for (message, binding) in [(method.input(), binding), (method.output(), None)] {
            if message.package_name() == service.package_name() && printed.insert(message.full_name().to_owned()) {
                text.push_str(&self::message(schema, &message, "####", binding)?);
            }
        }
    }
    Ok(text)
}

/// A route, and the field that is the answer where it is not the whole response.
fn route(binding: &Binding) -> String {
    let answer = binding.response.as_ref().map_or_else(String::new, |field| format!("; answers `{}`", field.json));
    format!("`{} {}`{answer}", binding.verb, binding.template)
}

fn message(schema: &Schema, message: &MessageDescriptor, level: &str, binding: Option<&Binding>) -> Result<String> {
    let mut text = format!("{level} {}\n\n", message.name());
    paragraph(&mut text, &comment(&message.parent_file(), message.path()));
    let shape = schema.shape(message)?;
    if shape.leaves.is_empty() && shape.oneofs.is_empty() {
        text.push_str("No fields.\n\n");
        return Ok(text);
    }
    text.push_str("| Key | Type | Rules | Meaning |\n|---|---|---|---|\n");
    let mut rows: Vec<(u32, String)> = Vec::new();
    for leaf in &shape.leaves {
        rows.push((
            leaf.slot,
            row(schema, leaf, binding).with_context(|| leaf.field.descriptor.full_name().to_owned())?,
        ));
    }
    for oneof in &shape.oneofs {
        rows.push((oneof.slot, oneof_row(schema, oneof)));
    }
    rows.sort_by_key(|(slot, _)| *slot);
    for (_, row) in rows {
        text.push_str(&row);
    }
    text.push('\n');
    Ok(text)
}

fn row(schema: &Schema, leaf: &Leaf, binding: Option<&Binding>) -> Result<String> {
    let field = &leaf.field;
    let descriptor = &field.descriptor;
    let ways = leaf.way.iter().map(|(name, _)| name.to_string());
    let grpc = ways.chain([descriptor.name().to_owned()]).collect::<Vec<_>>().join(".");
    let key = if field.header.is_some() || leaf.name == grpc {
        format!("`{grpc}`")
    } else {
        format!("`{}` (gRPC `{grpc}`)", leaf.name)
    };
    let rules = rules(schema, leaf, binding)?.join("; ");
    let meaning = line(&comment(&descriptor.parent_message().parent_file(), descriptor.path()));
    Ok(format!("| {key} | {} | {rules} | {meaning} |\n", shown_type(schema, field)?))
}

/// A oneof of messages: their keys are keys of the object, or each has a key of its own.
fn oneof_row(schema: &Schema, oneof: &Oneof) -> String {
    let members = oneof.fields.iter().map(|field| match &field.r#type {
        Type::Message(message, _) => link(message.name()),
        _ => format!("`{}`", field.json),
    });
    let members = members.collect::<Vec<_>>().join(" or ");
    let required = schema.extension(&oneof.descriptor.options(), "buf.validate.oneof");
    let required = if required.is_some_and(|rules| rules.flag("required")) { "required" } else { "" };
    let grpc = oneof.descriptor.name();
    let names = oneof.fields.iter().map(|field| format!("`{}`", field.json)).collect::<Vec<_>>().join(" or ");
    match &oneof.discriminator {
        Some(key) => format!(
            "| `{key}` (gRPC: which of `{grpc}` is set) | {names} | {required} | The other keys are those of {members}. |\n"
        ),
        None if oneof.flatten => {
            format!("| (gRPC `{grpc}`) | {members} | {required} | Their keys stand in this object. |\n")
        }
        None => format!("| {names} | {members} | {required} | One of them. |\n"),
    }
}

/// Everything but the type that a caller has to know of a field.
fn rules(schema: &Schema, leaf: &Leaf, binding: Option<&Binding>) -> Result<Vec<String>> {
    let field = &leaf.field;
    let known = Rules::of(schema, field)?;
    let mut rules: Vec<String> = place(leaf, binding).into_iter().collect();
    if known.required {
        rules.push("required".to_owned());
    }
    if leaf.input_only {
        rules.push("requests only".to_owned());
    }
    if leaf.output_only {
        rules.push("answers only".to_owned());
    }
    let unit = if matches!(field.r#type, Type::Bytes) { "bytes" } else { "characters" };
    rules.extend(range(known.min_len, known.max_len, unit));
    rules.extend(range(known.min_items, known.max_items, "elements"));
    if known.uuid {
        rules.push("UUID".to_owned());
    }
    rules.extend(limits(&known.limits));
    let texts = known.predefined.iter().chain(&known.cel).map(|rule| line(&rule.message));
    rules.extend(texts.map(|text| format!("“{text}”")));
    rules.extend(field.aliases.iter().map(|alias| format!("also read as `{alias}`")));
    if field.emit_empty {
        rules.push("always there".to_owned());
    }
    let options = schema.extension(&field.descriptor.options(), "kira.api.v1.field");
    let sensitivity = options.and_then(|options| options.number("sensitivity"));
    rules.extend(match sensitivity {
        Some(1) => Some("personal".to_owned()),
        Some(2) => Some("personal, can be masked".to_owned()),
        Some(3) => Some("secret".to_owned()),
        _ => None,
    });
    Ok(rules)
}

/// Where a field of a request is, unless it is in the body.
fn place(leaf: &Leaf, binding: Option<&Binding>) -> Option<String> {
    if let Some(header) = &leaf.field.header {
        return Some(format!("header `{header}`"));
    }
    let binding = binding?;
    if binding.variables.iter().any(|variable| variable.json == leaf.name) {
        return Some("path".to_owned());
    }
    match &binding.body {
        Body::None => Some("query".to_owned()),
        Body::Whole => None,
        Body::Field(field) | Body::Raw(field) => (field.json == leaf.name).then(|| "the body".to_owned()),
    }
}

fn range(least: Option<usize>, most: Option<usize>, unit: &str) -> Option<String> {
    Some(match (least.filter(|least| *least > 0), most) {
        (None, None) => return None,
        (Some(least), Some(most)) => format!("{least} to {most} {unit}"),
        (Some(least), None) => format!("at least {least} {unit}"),
        (None, Some(most)) => format!("at most {most} {unit}"),
    })
}

/// The limits of a number: each with whether it is excluded, and whether it is the lower one.
fn limits(limits: &[(f64, bool, bool)]) -> Option<String> {
    let one = |lower: bool| limits.iter().find(|(_, _, is_least)| *is_least == lower);
    let text = |limit: &(f64, bool, bool), inclusive: &str, exclusive: &str| {
        format!("{} {}", if limit.1 { exclusive } else { inclusive }, limit.0)
    };
    Some(match (one(true), one(false)) {
        (None, None) => return None,
        (Some((least, false, _)), Some((most, false, _))) => format!("{least} to {most}"),
        (Some(least), None) => text(least, "≥", ">"),
        (None, Some(most)) => text(most, "≤", "<"),
        (Some(least), Some(most)) => format!("{}, {}", text(least, "≥", ">"), text(most, "≤", "<")),
    })
}

/// The type in JSON.
fn shown_type(schema: &Schema, field: &Field) -> Result<String> {
    let one = match &field.r#type {
        Type::Bool => "boolean".to_owned(),
        Type::String => "string".to_owned(),
        Type::Bytes => "bytes".to_owned(),
        Type::Number("f32" | "f64") => "number".to_owned(),
        Type::Number(_) => "integer".to_owned(),
        Type::Enum(_) => link(enum_of(&field.descriptor).context("an enum")?.name()),
        Type::Message(message, _) => message_type(schema, message)?,
    };
    Ok(match field.arity {
        Arity::List => format!("array of {one}"),
        Arity::Map => format!("object of {one}"),
        Arity::Implicit | Arity::Optional => one,
    })
}

fn message_type(schema: &Schema, message: &MessageDescriptor) -> Result<String> {
    Ok(match (message.full_name(), schema.form(message)) {
        ("google.protobuf.Timestamp", _) => "string, RFC 3339".to_owned(),
        ("google.protobuf.Struct", _) => "object".to_owned(),
        (_, Form::DataUri) => "string, data URI (gRPC: media type and bytes)".to_owned(),
        (_, Form::Transparent) => {
            let shape = schema.shape(message)?;
            let only = shape.leaves.first().context("a transparent message has a field")?;
            let inner = shown_type(schema, &only.field)?;
            format!("{inner} (gRPC: in `{}`)", only.field.descriptor.name())
        }
        (_, Form::Object) => link(message.name()),
    })
}

fn enum_of(field: &FieldDescriptor) -> Option<EnumDescriptor> {
    match field.kind() {
        Kind::Enum(found) => Some(found),
        Kind::Message(entry) if field.is_map() => enum_of(&entry.map_entry_value_field()),
        _ => None,
    }
}

/// The enums of the fields of all messages, by name.
fn used_enums(schema: &Schema, packages: &[String]) -> Vec<EnumDescriptor> {
    let messages = packages.iter().flat_map(|package| schema.messages(package));
    let reached = messages.filter(|message| schema.is_request(message) || schema.is_response(message));
    let mut enums: Vec<_> =
        reached.flat_map(|message| message.fields().collect::<Vec<_>>()).filter_map(|field| enum_of(&field)).collect();
    enums.sort_by_key(|found| found.name().to_owned());
    enums.dedup();
    enums
}

fn r#enum(schema: &Schema, descriptor: &EnumDescriptor) -> Result<String> {
    let mut text = format!("### {}\n\n", descriptor.name());
    let file = descriptor.parent_file();
    paragraph(&mut text, &comment(&file, descriptor.path()));
    let values = schema.enum_values(descriptor)?;
    let meaning = |number: i32| {
        let value = descriptor.get_value(number).context("a value of this enum")?;
        Ok::<_, anyhow::Error>((value.name().to_owned(), line(&comment(&file, value.path()))))
    };
    let prefix = descriptor.name().to_shouty_snake_case();
    if values.len() > LONGEST_TABLE {
        writeln!(text, "Over gRPC: `{prefix}_` and the value in upper case.\n")?;
        let mut begun = false;
        for value in &values {
            let (_, group) = meaning(value.number)?;
            if !group.is_empty() || !begun {
                text.push_str(if begun { "\n" } else { "" });
                write!(text, "* {group}: `{}`", value.json)?;
            } else {
                write!(text, ", `{}`", value.json)?;
            }
            begun = true;
        }
        text.push_str("\n\n");
        return Ok(text);
    }
    text.push_str("| Value | gRPC | Meaning |\n|---|---|---|\n");
    for value in &values {
        let (name, meaning) = meaning(value.number)?;
        let category = if value.category.is_empty() { String::new() } else { format!(" ({})", value.category) };
        writeln!(text, "| `{}` | `{name}` = {} | {meaning}{category} |", value.json, value.number)?;
    }
    text.push('\n');
    Ok(text)
}

/// The table of an enum of error reasons; nothing for any other.
fn reasons(schema: &Schema, descriptor: &EnumDescriptor) -> Result<String> {
    let values = schema.enum_values(descriptor)?;
    if values.iter().all(|value| value.reason.is_none()) {
        return Ok(String::new());
    }
    let mut rows = Vec::new();
    for value in &values {
        let full = descriptor.get_value(value.number).context("a value of this enum")?;
        let reason = value.reason.as_ref().with_context(|| full.full_name().to_owned())?;
        let status = reason.number("http_status").unwrap_or_default();
        let grpc = grpc_code(reason.number("code").unwrap_or_default());
        let message = reason.string("message").unwrap_or_default();
        let comment = line(&comment(&descriptor.parent_file(), full.path()));
        rows.push((status, format!("| {status} | `{}` | {grpc} | {message} | {comment} |\n", value.json)));
    }
    rows.sort_by_key(|(status, _)| *status);
    let header = "| HTTP | `code` | gRPC | Default message | When |\n|---|---|---|---|---|\n";
    Ok(rows.into_iter().fold(header.to_owned(), |text, (_, row)| text + &row))
}

/// The name of a code of `google.rpc.Code`.
fn grpc_code(number: u64) -> &'static str {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    usize::try_from(number).ok().and_then(|number| NAMES.get(number)).copied().unwrap_or("UNKNOWN")
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

/// The comment before an element, as the file has it.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.into_iter().flat_map(|info| &info.location).find(|location| location.path == path);
    found.and_then(|location| location.leading_comments.clone()).unwrap_or_default()
}

/// A comment as one line of a table.
fn line(comment: &str) -> String {
    comment.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn paragraph(text: &mut String, comment: &str) {
    let lines: Vec<_> = comment.trim().lines().map(str::trim).collect();
    if !lines.iter().all(|line| line.is_empty()) {
        text.push_str(&lines.join("\n"));
        text.push_str("\n\n");
    }
}
