//! What a field or a call may be of: types that have a JSON here. Others would only show as errors of the generated code.

use anyhow::{Result, bail};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use crate::model::{Arity, Member};
use crate::schema::Schema;
use crate::well_known::TEXTS;

/// The messages of `google.protobuf` whose JSON is no text.
const OBJECTS: &[&str] =
    &["google.protobuf.Empty", "google.protobuf.ListValue", "google.protobuf.Struct", "google.protobuf.Value"];

/// Refuses what has no JSON, naming the field and its file.
///
/// # Errors
/// The first of them.
pub(crate) fn check(schema: &Schema, package: &str) -> Result<()> {
    for service in schema.services(package) {
        for method in service.methods() {
            let place = format!("{} ({})", method.full_name(), service.parent_file().name());
            message(schema, &method.input(), &place)?;
            message(schema, &method.output(), &place)?;
        }
    }
    alone(schema, package)?;
    for message in schema.messages(package) {
        if schema.is_request(&message) || schema.is_response(&message) {
            message.fields().try_for_each(|field| self::field(schema, &field))?;
        }
    }
    Ok(())
}

/// Refuses lists whose elements cannot be judged alone: the service finds their problems by an index alone.
fn alone(schema: &Schema, package: &str) -> Result<()> {
    let inputs: Vec<_> = schema.services(package).iter().flat_map(|service| service.methods()).collect();
    for message in schema.messages(package) {
        let members = schema.members(&message)?;
        let alone = members.iter().filter_map(|member| match member {
            Member::Field(field) if field.each_alone => Some(field),
            _ => None,
        });
        for (position, field) in alone.enumerate() {
            let is_input = inputs.iter().any(|method| method.input() == message && !method.is_client_streaming());
            if position > 0 || !is_input || !matches!(field.arity, Arity::List) || !schema.has_check(field) {
                bail!(
                    "{} ({}): `each_alone` is for one list of messages that is a field of a request itself",
                    field.descriptor.full_name(),
                    field.descriptor.parent_file().name()
                );
            }
        }
    }
    Ok(())
}

fn field(schema: &Schema, field: &FieldDescriptor) -> Result<()> {
    let place = format!("{} ({})", field.full_name(), field.parent_file().name());
    match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => match entry.map_entry_value_field().kind() {
            Kind::Message(value) => message(schema, &value, &place),
            Kind::Enum(value) => r#enum(schema, &value, &place),
            _ => Ok(()),
        },
        Kind::Message(value) => message(schema, &value, &place),
        Kind::Enum(value) => r#enum(schema, &value, &place),
        _ => Ok(()),
    }
}

fn message(schema: &Schema, message: &MessageDescriptor, place: &str) -> Result<()> {
    let name = message.full_name();
    match message.package_name() {
        "google.protobuf" if TEXTS.contains(&name) || OBJECTS.contains(&name) => Ok(()),
        "google.protobuf" if name == "google.protobuf.Any" => bail!(
            "{place}: google.protobuf.Any is not supported, because its JSON depends on types that are not known here; \
             use a message, a oneof, or google.protobuf.Struct"
        ),
        "google.protobuf" => bail!("{place}: {name} is not supported"),
        package => known(schema, package, name, place),
    }
}

fn r#enum(schema: &Schema, value: &EnumDescriptor, place: &str) -> Result<()> {
    let name = value.full_name();
    match value.package_name() {
        "google.protobuf" if name == "google.protobuf.NullValue" => {
            bail!("{place}: google.protobuf.NullValue is not supported; use google.protobuf.Value")
        }
        "google.protobuf" => bail!("{place}: {name} is not supported"),
        package => known(schema, package, name, place)?,
    }
    let zero = value.values().find(|value| value.number() == 0);
    if let Some(zero) = zero.filter(|zero| !zero.name().ends_with("UNSPECIFIED")) {
        bail!(
            "{place}: the value 0 of {name} stands for none given, and has no JSON; name it …_UNSPECIFIED, not {}",
            zero.name()
        );
    }
    Ok(())
}

fn known(schema: &Schema, package: &str, name: &str, place: &str) -> Result<()> {
    if schema.has_package(package) {
        return Ok(());
    }
    bail!("{place}: {name} is of the package {package}, which is not generated: add it to the generator's packages")
}
