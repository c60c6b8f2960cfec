//! The bindings of `google.api.http`, read and checked in one place.

use anyhow::{Context, Result, bail};
use kira_path_template::{Segment, Template};
use prost_reflect::{MethodDescriptor, ServiceDescriptor};

use super::field::{Target, plain_field};
use super::refuse;
use crate::model::{Arity, Field, Type};
use crate::options::Options;
use crate::schema::Schema;

/// One way to make a call over HTTP.
pub(crate) struct Binding {
    pub(crate) method: MethodDescriptor,
    /// The HTTP method.
    pub(crate) verb: String,
    pub(crate) template: String,
    /// The fields that the template's variables fill, from left to right.
    pub(crate) variables: Vec<Target>,
    pub(crate) body: Body,
    /// The field of the response that is the answer; the whole response where there is none.
    pub(crate) response: Option<Field>,
    /// How the body becomes the messages of a stream.
    pub(crate) upload: Option<Upload>,
}

/// How the bytes of a body become messages.
pub(crate) struct Upload {
    /// The field that has them.
    pub(crate) content: Field,
    /// Of a form: the field of the message that begins a file.
    pub(crate) head: Option<Field>,
    /// The path of the field that their media type fills, by JSON names.
    pub(crate) media_type: Option<String>,
}

impl Upload {
    /// The upload that the options of a call describe.
    pub(crate) fn of(schema: &Schema, method: &MethodDescriptor) -> Result<Option<Self>> {
        let options = schema.extension(&method.options(), "kira.api.v1.method");
        let Some(upload) = options.and_then(|options| options.message("upload")) else { return Ok(None) };
        if !method.is_client_streaming() || method.is_server_streaming() {
            return refuse(method, "`upload` is for calls that take a stream and have one answer");
        }
        let input = method.input();
        let name = upload.string("content").context("`upload` without `content`")?;
        let content = plain_field(schema, &input, &name).context("`upload.content`")?;
        if !is_bytes(&content) {
            return refuse(method, format_args!("`upload`: `{name}` is not bytes that are always there"));
        }
        let head = match upload.string("head") {
            None => None,
            Some(name) => {
                let head = plain_field(schema, &input, &name).context("`upload.head`")?;
                if !matches!((&head.arity, &head.r#type), (Arity::Optional, Type::Message(..))) {
                    return refuse(method, format_args!("`upload`: `{name}` is no single message"));
                }
                Some(head)
            }
        };
        let media_type = match upload.string("media_type") {
            None => None,
            Some(name) => {
                let path = head.as_ref().map_or(name.clone(), |head| format!("{}.{name}", head.descriptor.name()));
                Some(Target::find(schema, &input, &path).context("`upload.media_type`")?.json)
            }
        };
        Ok(Some(Self { content, head, media_type }))
    }
}

fn is_bytes(field: &Field) -> bool {
    matches!((&field.arity, &field.r#type), (Arity::Implicit, Type::Bytes))
}

/// Whether the answer of a call is a stream of bytes: that of a file, over REST.
pub(crate) fn answers_bytes(schema: &Schema, method: &MethodDescriptor) -> bool {
    let rule = schema.extension(&method.options(), "google.api.http");
    let name = rule.and_then(|rule| rule.string("response_body")).filter(|_| method.is_server_streaming());
    let field = name.and_then(|name| plain_field(schema, &method.output(), &name).ok());
    field.is_some_and(|field| is_bytes(&field))
}

/// What the body of a request is.
pub(crate) enum Body {
    None,
    Whole,
    Field(Box<Field>),
    /// A field of bytes: the body as it came.
    Raw(Box<Field>),
}

/// The bindings of all calls of a service; a call's first one is its primary one.
pub(crate) fn bindings(schema: &Schema, service: &ServiceDescriptor) -> Result<Vec<Binding>> {
    let mut found: Vec<Binding> = Vec::new();
    for method in service.methods() {
        let Some(rule) = schema.extension(&method.options(), "google.api.http") else { continue };
        let has_upload = Upload::of(schema, &method)?.is_some();
        if method.is_client_streaming() && !has_upload {
            return refuse(&method, "a call that takes a stream cannot have an HTTP rule");
        }
        let additional = rule.messages("additional_bindings");
        if additional.iter().any(|rule| !rule.messages("additional_bindings").is_empty()) {
            return refuse(&method, "an additional binding cannot have additional bindings");
        }
        for rule in std::iter::once(&rule).chain(&additional) {
            let binding = Binding::read(schema, &method, rule).with_context(|| method.full_name().to_owned())?;
            let template = Template::parse(&binding.template).ok();
            let same = |earlier: &&Binding| {
                let other = Template::parse(&earlier.template).ok();
                let shape = |template: Option<Template>| template.map(|template| (template.segments, template.verb));
                earlier.verb == binding.verb && shape(other) == shape(template.clone())
            };
            if let Some(earlier) = found.iter().find(same) {
                let (verb, template) = (&binding.verb, &binding.template);
                let other = earlier.method.full_name();
                return refuse(&method, format_args!("{other} has the same route: {verb} {template}"));
            }
            found.push(binding);
        }
    }
    Ok(found)
}

impl Binding {
    fn read(schema: &Schema, method: &MethodDescriptor, rule: &Options) -> Result<Self> {
        let (verb, text) = pattern(rule).context("an HTTP rule without a pattern such as `get`")?;
        let template = Template::parse(&text).with_context(|| format!("the path template `{text}`"))?;
        let mut variables = Vec::new();
        for variable in &template.variables {
            let target = Target::find(schema, &method.input(), &variable.field).context("a variable of the path")?;
            if !target.is_scalar() {
                bail!("`{}` of the path is no text, number, bool or enum", variable.field);
            }
            if target.field.output_only {
                bail!("`{}` of the path is for the service to set", variable.field);
            }
            if variable.is_multi(&template) && !matches!(target.field.r#type, Type::String) {
                bail!("`{}` takes several segments, hence it must be a text", variable.field);
            }
            variables.push(target);
        }
        let upload = Upload::of(schema, method)?;
        let body = match rule.string("body").as_deref() {
            None => Body::None,
            Some(_) if matches!(verb.as_str(), "GET" | "HEAD") => bail!("GET has no body"),
            Some(_) if method.input().full_name() == "google.protobuf.Empty" => {
                bail!("Empty has no body");
            }
            Some("*") => Body::Whole,
            Some(name) => {
                let field = plain_field(schema, &method.input(), name).context("`body`")?;
                if template.variables.iter().any(|variable| variable.field == name) {
                    bail!("`{name}` is both the body and in the path");
                }
                match (&field.arity, &field.r#type) {
                    (Arity::Optional, Type::Message(..)) => Body::Field(Box::new(field)),
                    (Arity::Implicit, Type::Bytes) => Body::Raw(Box::new(field)),
                    _ => bail!("`body`: `{name}` is neither a single message nor bytes that are always there"),
                }
            }
        };
        let response = match rule.string("response_body") {
            None => None,
            Some(name) => {
                let field = plain_field(schema, &method.output(), &name).context("`response_body`")?;
                match (&field.arity, &field.r#type) {
                    (Arity::Optional | Arity::List, Type::Message(..)) => Some(field),
                    (Arity::Implicit, Type::Bytes) if method.is_server_streaming() => Some(field),
                    _ => bail!("`response_body`: `{name}` is no message"),
                }
            }
        };
        match (&upload, &body) {
            (None, _) => {}
            (Some(Upload { head: Some(_), .. }), Body::Whole) => {}
            (Some(Upload { head: None, content, .. }), Body::Raw(field)) if content.rust == field.rust => {}
            _ => bail!("`upload`: the body is `*` for a form with a `head`, else the field `content`"),
        }
        Ok(Self { method: method.clone(), verb, template: text, variables, body, response, upload })
    }
}

/// The HTTP method and the path template of a rule.
fn pattern(rule: &Options) -> Option<(String, String)> {
    for name in ["get", "put", "post", "delete", "patch"] {
        if let Some(template) = rule.string(name) {
            return Some((name.to_uppercase(), template));
        }
    }
    let custom = rule.message("custom")?;
    Some((custom.string("kind")?, custom.string("path")?))
}

/// The parts of a `Location`: texts, and fields of the response.
pub(super) enum Part {
    Text(String),
    Value(Box<Target>),
}

/// Reads the template of a `Location`.
pub(super) fn location(schema: &Schema, method: &MethodDescriptor, text: &str) -> Result<Vec<Part>> {
    let template = Template::parse(text).with_context(|| format!("{}: the location `{text}`", method.full_name()))?;
    let mut parts = Vec::new();
    for (position, segment) in template.segments.iter().enumerate() {
        let variable = template.variables.iter().find(|variable| variable.start == position);
        parts.push(match (segment, variable) {
            (Segment::Literal(text), None) => Part::Text(text.clone()),
            (Segment::One, Some(variable)) if variable.end == position + 1 => {
                let target = Target::find(schema, &method.output(), &variable.field)
                    .with_context(|| format!("{}: the location `{text}`", method.full_name()))?;
                if !target.is_scalar() || !matches!(target.field.r#type, Type::String | Type::Number(_)) {
                    return refuse(
                        method,
                        format_args!("the location's `{}` is no text and no number", variable.field),
                    );
                }
                Part::Value(Box::new(target))
            }
            _ => {
                return refuse(method, format_args!("the location `{text}` may have plain `{{field}}` variables only"));
            }
        });
    }
    Ok(parts)
}
