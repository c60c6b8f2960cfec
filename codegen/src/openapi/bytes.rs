//! Bodies and answers that are bytes: files, and forms that have them.

use anyhow::Result;
use prost_reflect::EnumDescriptor;

use super::errors::common_headers;
use super::json::{Json, Object, object, reference};
use super::schemas::{Schemas, Side};
use super::text;
use crate::model::{Field, Member, Type};
use crate::schema::Schema;
use crate::service::{Binding, Body, Upload, answers_bytes};

/// What a sample does with bytes.
pub(super) enum Bytes {
    /// It sends a form with a file: the texts before it, and the name of its part.
    Form(Vec<(String, String)>, String),
    /// It sends a file of this media type as the body.
    Body(String),
    /// It saves the answer.
    Answer,
}

/// What the sample of a call does with bytes; none where it has none.
pub(super) fn sample(schema: &Schema, binding: &Binding) -> Option<Bytes> {
    let Some(upload) = &binding.upload else {
        return answers_bytes(schema, &binding.method).then_some(Bytes::Answer);
    };
    let media_types = media_types(schema, upload).unwrap_or_default();
    let Some(head) = &upload.head else {
        let first = media_types.into_iter().next();
        return Some(Bytes::Body(first.unwrap_or_else(|| "application/octet-stream".to_owned())));
    };
    let fields = head_fields(schema, head, upload).unwrap_or_default();
    let required = fields.into_iter().filter(|field| schema.is_required(field));
    let texts = required.map(|field| {
        let value = values(schema, &field).unwrap_or_default().into_iter().next();
        (field.json, value.unwrap_or_else(|| "…".to_owned()))
    });
    Some(Bytes::Form(texts.collect(), upload.content.json.clone()))
}

/// Whether the query fills a field beside a body of bytes.
pub(super) fn is_parameter(binding: &Binding, name: &str) -> bool {
    match (&binding.upload, &binding.body) {
        (Some(upload), Body::Raw(content)) => content.json != name && upload.media_type.as_deref() != Some(name),
        _ => false,
    }
}

/// The body of a request that is bytes or a form.
pub(super) fn body(schema: &Schema, schemas: &mut Schemas<'_>, upload: &Upload) -> Result<Json> {
    let media_types = media_types(schema, upload)?;
    let mut content = Object::default();
    match &upload.head {
        None => media_types.into_iter().for_each(|media_type| content.set(media_type, of_bytes())),
        Some(head) => {
            let (mut properties, mut required) = (Object::default(), Vec::new());
            for field in head_fields(schema, head, upload)? {
                let mut property = schemas.field(&field, Side::Request, false)?;
                if let Json::Object(property) = &mut property {
                    let comment = text::of_field(&field.descriptor);
                    if property.get("$ref").is_none() && property.get("description").is_none() {
                        property.set("description", comment);
                    }
                }
                if schema.is_required(&field) {
                    required.push(field.json.clone());
                }
                properties.set(field.json, property);
            }
            let file = &upload.content.json;
            properties.set(file.clone(), binary());
            required.push(file.clone());
            let mut form = Object::default();
            form.set("description", "One file. More files follow in the same form, each behind texts of its own.");
            form.set("type", "object");
            form.set("properties", properties);
            form.set("required", required);
            form.set("additionalProperties", false);
            let encoding = object([("contentType", media_types.join(", ").into())]);
            let encoding = object([(file.as_str(), encoding)]);
            content.set("multipart/form-data", object([("schema", form.into()), ("encoding", encoding)]));
        }
    }
    Ok(object([("required", true.into()), ("content", content.into())]))
}

/// The answer that is all bytes.
pub(super) fn whole(media_types: &[String]) -> Json {
    answer("The bytes.", media_types, false)
}

/// The answer that is a part of the bytes.
pub(super) fn part(media_types: &[String]) -> Json {
    answer("The part that `Range` names.", media_types, true)
}

fn answer(description: &str, media_types: &[String], is_part: bool) -> Json {
    let mut headers = common_headers();
    let mut header = |name: &str, component: &str| headers.set(name, reference("headers", component));
    header("ETag", "ETag");
    header("Accept-Ranges", "AcceptRanges");
    header("Content-Disposition", "ContentDisposition");
    if is_part {
        header("Content-Range", "ContentRange");
    }
    let mut content = Object::default();
    media_types.iter().for_each(|media_type| content.set(media_type.clone(), of_bytes()));
    object([("description", description.into()), ("headers", headers.into()), ("content", content.into())])
}

fn of_bytes() -> Json {
    object([("schema", binary())])
}

fn binary() -> Json {
    object([("type", "string".into()), ("format", "binary".into())])
}

/// The fields of the message that begins a file, but for the media type, which the part has.
fn head_fields(schema: &Schema, head: &Field, upload: &Upload) -> Result<Vec<Field>> {
    let Type::Message(message, _) = &head.r#type else { return Ok(Vec::new()) };
    let is_media_type = |field: &Field| upload.media_type.as_ref() == Some(&format!("{}.{}", head.json, field.json));
    let fields = schema.members(message)?.into_iter().filter_map(|member| match member {
        Member::Field(field) if !is_media_type(&field) => Some(field),
        _ => None,
    });
    Ok(fields.collect())
}

/// The media types that the bytes may have.
fn media_types(schema: &Schema, upload: &Upload) -> Result<Vec<String>> {
    let name = upload.media_type.as_deref().and_then(|path| path.rsplit('.').next());
    let message = match upload.head.as_ref().map(|head| &head.r#type) {
        Some(Type::Message(message, _)) => message.clone(),
        _ => upload.content.descriptor.parent_message().clone(),
    };
    let members = schema.members(&message)?.into_iter();
    let mut fields = members.filter_map(|member| match member {
        Member::Field(field) => Some(field),
        Member::Oneof(_) => None,
    });
    let field = fields.find(|field| Some(field.json.as_str()) == name);
    let found = field.map(|field| values(schema, &field)).transpose()?.unwrap_or_default();
    Ok(if found.is_empty() { vec!["application/octet-stream".to_owned()] } else { found })
}

/// The JSON names of the values of a field that is an enum.
fn values(schema: &Schema, field: &Field) -> Result<Vec<String>> {
    let kind = field.descriptor.kind();
    let Some(descriptor): Option<&EnumDescriptor> = kind.as_enum() else { return Ok(Vec::new()) };
    let values = schema.enum_values(descriptor)?.into_iter().filter(|value| value.number != 0);
    Ok(values.map(|value| value.json).collect())
}
