//! The calls: parameters, bodies and answers of each route.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use prost_reflect::ServiceDescriptor;

use super::bytes;
use super::errors::{Errors, Reasons, common_headers};
use super::json::{Json, Object, object, reference};
use super::samples::Sample;
use super::schemas::{Schemas, Side};
use super::text;
use crate::model::{Arity, Leaf};
use crate::schema::Schema;
use crate::service::{Binding, Body, bindings};

/// The header that is a security scheme and no parameter.
const API_KEY: &str = "x-api-key";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const IF_MATCH: &str = "if-match";
const UUID: &str = "^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$";
/// Of kira.api.v1.Access.
const ACCESS_PUBLIC: u64 = 1;

/// What all operations are made with.
pub(super) struct Operations<'a> {
    pub(super) schema: &'a Schema,
    pub(super) schemas: Schemas<'a>,
    pub(super) errors: Errors,
    /// The responses that are components.
    pub(super) responses: BTreeMap<String, Json>,
    pub(super) paths: Object,
    /// The ids and path templates of all operations, for links between them.
    pub(super) all: Vec<(String, String)>,
}

/// What the options of a call say.
struct Policy {
    success: u64,
    replay: Option<u64>,
    is_public: bool,
    permission: Option<String>,
    etag: bool,
    location: bool,
    page: bool,
    reasons: Vec<String>,
    /// Of an answer that is bytes.
    media_types: Vec<String>,
}

impl<'a> Operations<'a> {
    /// Adds the routes of a service.
    pub(super) fn service(&mut self, service: &ServiceDescriptor) -> Result<()> {
        let mut seen = Vec::new();
        for binding in bindings(self.schema, service)? {
            let name = binding.method.name().to_owned();
            let is_first = !seen.contains(&name);
            seen.push(name);
            let place = format!("{} {}", binding.verb, binding.template);
            let operation = self.operation(service, &binding, is_first).context(place)?;
            let path = binding.template.clone();
            let verb = binding.verb.to_lowercase();
            match self.paths.get_mut(&path) {
                Some(Json::Object(item)) => item.set(verb, operation),
                _ => {
                    let mut item = Object::default();
                    item.set(verb, operation);
                    self.paths.set(path, item);
                }
            }
        }
        Ok(())
    }

    /// Notes the operations of a service, for links to them.
    pub(super) fn note(&mut self, service: &ServiceDescriptor) -> Result<()> {
        let mut seen = Vec::new();
        for binding in bindings(self.schema, service)? {
            let is_first = !seen.contains(&binding.method);
            self.all.push((operation_id(&binding, is_first), binding.template.clone()));
            seen.push(binding.method);
        }
        Ok(())
    }

    /// The operations that take what an answer names.
    fn links(&self, method: &str) -> Object {
        let mut links = Object::default();
        for link in self.schemas.base.links(method) {
            let (parameter, value) = (link.text("parameter"), link.text("value"));
            let place = format!("{{{parameter}}}");
            for (id, _) in self.all.iter().filter(|(_, template)| template.contains(&place)) {
                let parameters = object([(parameter, value.into())]);
                links.set(id.clone(), object([("operationId", id.as_str().into()), ("parameters", parameters)]));
            }
        }
        links
    }

    fn policy(&self, binding: &Binding) -> Policy {
        let options = self.schema.extension(&binding.method.options(), "kira.api.v1.method");
        let options = options.as_ref();
        let number = |name: &str| options.and_then(|options| options.number(name)).filter(|number| *number != 0);
        let success = number("success_code").unwrap_or(200);
        Policy {
            success,
            replay: number("replay_code").filter(|code| *code != success),
            is_public: number("access") == Some(ACCESS_PUBLIC),
            permission: options.and_then(|options| options.string("permission")),
            etag: options.is_some_and(|options| options.flag("etag")),
            location: options.is_some_and(|options| options.string("location").is_some()),
            page: options.is_some_and(|options| options.flag("page")),
            reasons: options.map(|options| options.strings("reasons")).unwrap_or_default(),
            media_types: options.map(|options| options.strings("media_types")).unwrap_or_default(),
        }
    }

    fn operation(&mut self, service: &ServiceDescriptor, binding: &Binding, is_first: bool) -> Result<Json> {
        let method = &binding.method;
        let policy = self.policy(binding);
        let comment = text::comment(&service.parent_file(), method.path());
        let shape = self.schema.shape(&method.input())?;
        let leaves: Vec<&Leaf> = shape.leaves.iter().filter(|leaf| !leaf.is_output_only()).collect();
        let has_header = |name: &str| leaves.iter().any(|leaf| leaf.field.header.as_deref() == Some(name));
        let in_path: Vec<String> = binding.variables.iter().map(|variable| variable.json.clone()).collect();

        let mut operation = Object::default();
        operation.set("operationId", operation_id(binding, is_first));
        let summary = text::words(method.name());
        operation.set("summary", if is_first { summary } else { format!("{summary} by {}", binding.verb) });
        let mut description = comment;
        if let Some(permission) = &policy.permission {
            description.push_str(&format!("\n\nPermission: `{permission}`."));
        }
        operation.set("description", description);
        operation.set("tags", vec![tag(service)]);
        let needs_key = !policy.is_public || has_header(API_KEY);
        if policy.is_public {
            let schemes = if needs_key { vec![object([("apiKey", Json::Array(Vec::new()))])] } else { Vec::new() };
            operation.set("security", schemes);
        }
        let (mut parameters, body) = (self.parameters(binding, &leaves, &in_path)?, self.body(binding, &in_path)?);
        let is_conditional = policy.etag && binding.verb == "GET";
        if is_conditional {
            parameters.push(reference("parameters", "IfNoneMatch"));
        }
        let has_body = body.is_some();
        operation.set("parameters", parameters);
        body.into_iter().for_each(|body| operation.set("requestBody", body));

        let mut reasons: Reasons =
            ["invalid_request", "internal_error", "unavailable", "deadline_exceeded"].map(str::to_owned).into();
        let mut may = |holds: bool, names: &[&str]| {
            if holds {
                reasons.extend(names.iter().map(|name| (*name).to_owned()));
            }
        };
        may(!policy.is_public, &["unauthorized", "rate_limit_exceeded"]);
        may(policy.permission.is_some(), &["forbidden"]);
        may(!in_path.is_empty(), &["not_found"]);
        may(has_body, &["request_timeout", "payload_too_large", "unsupported_media_type"]);
        may(has_header(IDEMPOTENCY_KEY), &["idempotency_key_reused"]);
        may(has_header(IF_MATCH), &["precondition_failed"]);
        reasons.extend(policy.reasons.iter().map(|reason| reason.to_lowercase()));

        let mut responses = Object::default();
        let replays = has_header(IDEMPOTENCY_KEY);
        for (status, is_replay) in [(Some(policy.success), false), (policy.replay, true)] {
            let Some(status) = status else { continue };
            let response = self.success(binding, &policy, has_body, is_replay, replays)?;
            responses.set(status.to_string(), response);
        }
        if !policy.media_types.is_empty() {
            responses.set("206", bytes::part(&policy.media_types));
        }
        if is_conditional {
            responses.set("304", not_modified());
        }
        for (status, response) in self.errors.responses(&mut self.schemas, &mut self.responses, &reasons)? {
            responses.set(status, response);
        }
        operation.set("responses", responses);
        policy.permission.iter().for_each(|permission| operation.set("x-permission", permission.as_str()));
        operation.set("x-grpc-method", format!("{}/{}", service.full_name(), method.name()));
        operation.set("x-codeSamples", self.samples(binding, !policy.is_public, needs_key).all());
        Ok(operation.into())
    }

    fn parameters(&mut self, binding: &Binding, leaves: &[&Leaf], in_path: &[String]) -> Result<Vec<Json>> {
        let mut parameters = Vec::new();
        let example = self.schemas.base.examples(binding.method.name()).next();
        let example = example.and_then(|example| example.get("parameters"));
        for leaf in leaves {
            let place = match &leaf.field.header {
                Some(header) if header == API_KEY => continue,
                Some(_) => "header",
                None if in_path.contains(&leaf.name) => "path",
                None if matches!(binding.body, Body::None) => "query",
                None if bytes::is_parameter(binding, &leaf.name) => "query",
                None => continue,
            };
            let mut schema = self.schemas.field(&leaf.field, Side::Request, false)?;
            if let Json::Object(schema) = &mut schema {
                schema.0.retain(|(key, _)| key != "x-sensitivity");
                // A header is a text: generators that know a type for the format do not turn it into one.
                if place == "header" && schema.get("format").and_then(Json::as_str) == Some("uuid") {
                    schema.0.retain(|(key, _)| key != "format");
                    schema.set("pattern", UUID);
                }
            }
            let required = place == "path" || self.schema.is_required(&leaf.field);
            let mut parameter = Object::default();
            parameter.set("name", leaf.name.as_str());
            parameter.set("in", place);
            let comment = text::of_field(&leaf.field.descriptor);
            let comment = if comment.is_empty() { text::title(&leaf.name) } else { comment };
            parameter.set("description", comment);
            parameter.set("required", required);
            parameter.set("schema", schema);
            if matches!(leaf.field.arity, Arity::List) {
                parameter.set("style", "form");
                parameter.set("explode", true);
            }
            if let Some(value) = example.and_then(|values| values.get(&leaf.name)) {
                parameter.set("example", value.clone());
            }
            parameters.push(parameter.into());
        }
        if matches!(binding.body, Body::Whole | Body::Field(_)) && binding.upload.is_none() {
            parameters.push(reference("parameters", "Prefer"));
        }
        parameters.push(reference("parameters", "RequestId"));
        Ok(parameters)
    }

    fn body(&mut self, binding: &Binding, in_path: &[String]) -> Result<Option<Json>> {
        let method = &binding.method;
        let input = method.input();
        if let Some(upload) = &binding.upload {
            return bytes::body(self.schema, &mut self.schemas, upload).map(Some);
        }
        let (schema, required) = match &binding.body {
            Body::None => return Ok(None),
            Body::Raw(field) => {
                let place = field.descriptor.full_name();
                let body = self.schemas.base.raw_body(method.name());
                let body = body.with_context(|| format!("base.json has no body of {place}"))?;
                return Ok(Some(object([
                    ("required", true.into()),
                    ("content", object([("application/json", body.clone())])),
                ])));
            }
            Body::Field(field) => (self.schemas.field(field, Side::Request, false)?, self.schema.is_required(field)),
            Body::Whole if self.schemas.is_empty(&input, in_path)? => (object([("type", "object".into())]), false),
            Body::Whole => {
                let schema = self.schemas.body(&input, Side::Request, in_path, &operation_id(binding, true))?;
                (schema, !self.schemas.all_optional(&input, in_path)?)
            }
        };
        let mut content = Object::default();
        content.set("schema", schema);
        let mut examples = Object::default();
        for example in self.schemas.base.examples(method.name()) {
            let Some(body) = example.get("body") else { continue };
            examples.set(example.text("name"), named_example(example, body));
        }
        if !examples.0.is_empty() {
            content.set("examples", examples);
        }
        let mut body = Object::default();
        body.set("required", required);
        body.set("content", object([("application/json", content.into())]));
        Ok(Some(body.into()))
    }

    fn success(
        &mut self,
        binding: &Binding,
        policy: &Policy,
        has_body: bool,
        is_replay: bool,
        replays: bool,
    ) -> Result<Json> {
        let method = &binding.method;
        if !policy.media_types.is_empty() {
            return Ok(bytes::whole(&policy.media_types));
        }
        let schema = match &binding.response {
            Some(field) => self.schemas.field(field, Side::Response, false)?,
            None => self.schemas.body(&method.output(), Side::Response, &[], &operation_id(binding, true))?,
        };
        if has_body && !method.is_server_streaming() && binding.upload.is_none() {
            self.schemas.with_warnings(&schema);
        }
        let mut headers = common_headers();
        if policy.etag {
            headers.set("ETag", reference("headers", "ETag"));
        }
        if policy.location && !is_replay {
            headers.set("Location", reference("headers", "Location"));
        }
        if policy.page {
            headers.set("Link", reference("headers", "Link"));
        }
        if is_replay || (replays && policy.replay.is_none()) {
            headers.set("Idempotent-Replayed", reference("headers", "IdempotentReplayed"));
        }
        let mut content = Object::default();
        if method.is_server_streaming() {
            let text = |words: &str| object([("type", "string".into()), ("description", words.into())]);
            for (media_type, words) in [
                ("application/x-ndjson", "One line of JSON for each item, which is of `x-itemSchema`."),
                ("text/event-stream", "One server-sent event for each item, whose `data` is of `x-itemSchema`."),
            ] {
                let mut stream = Object::default();
                stream.set("schema", text(words));
                stream.set(super::ITEM_SCHEMA, schema.clone());
                let mut examples = Object::default();
                let accepts = |example: &Json| example.get("parameters").map(|all| all.text("accept") == media_type);
                for example in self.schemas.base.examples(method.name()).filter(|one| accepts(one) == Some(true)) {
                    let text = example.get("response").context("an example of a stream has its text")?;
                    examples.set(example.text("name"), named_example(example, text));
                }
                if !examples.0.is_empty() {
                    stream.set("examples", examples);
                }
                content.set(media_type, stream);
            }
        } else {
            let mut json = Object::default();
            json.set("schema", schema);
            let status = if is_replay { policy.replay.unwrap_or(policy.success) } else { policy.success };
            let mut examples = Object::default();
            for example in self.schemas.base.examples(method.name()) {
                let is_of_status =
                    matches!(example.get("status"), Some(Json::Number(number)) if number.as_u64() == Some(status));
                if let (true, Some(body)) = (is_of_status, example.get("response")) {
                    examples.set(example.text("name"), named_example(example, body));
                }
            }
            if !examples.0.is_empty() {
                json.set("examples", examples);
            }
            content.set("application/json", json);
        }
        let output = method.output();
        let comment = text::comment(&output.parent_file(), output.path());
        let description = match (is_replay, comment.is_empty()) {
            (true, _) => "The answer of an earlier request with the same idempotency key, as it is now.".to_owned(),
            (_, false) => comment,
            _ => "Success.".to_owned(),
        };
        let mut response = Object::default();
        response.set("description", description);
        response.set("headers", headers);
        response.set("content", content);
        let links = self.links(method.name());
        if !links.0.is_empty() {
            response.set("links", links);
        }
        Ok(response.into())
    }

    fn raw_example(&self, binding: &Binding) -> Option<&Json> {
        self.schemas.base.raw_body(binding.method.name())?.get("example")
    }

    fn samples<'s>(&'s self, binding: &'s Binding, needs_token: bool, needs_key: bool) -> Sample<'s> {
        let example = self.schemas.base.examples(binding.method.name()).next();
        let parameters = example.and_then(|example| example.get("parameters"));
        let value =
            |name: &str| parameters.and_then(|values| values.get(name)).and_then(Json::as_str).map(str::to_owned);
        let mut target = binding.template.clone();
        for variable in &binding.variables {
            let value = value(&variable.json).unwrap_or_else(|| format!("{{{}}}", variable.json));
            target = target.replace(&format!("{{{}}}", variable.json), &value);
        }
        let headers = parameters.map(Json::members).unwrap_or_default().iter();
        let headers = headers.filter(|(name, _)| [IDEMPOTENCY_KEY, IF_MATCH].contains(&name.as_str()));
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Sample {
            verb: &binding.verb,
            target,
            headers: headers.collect(),
            credentials: (needs_token, needs_key),
            body: example.and_then(|example| example.get("body")).or_else(|| self.raw_example(binding)),
            streams: binding.method.is_server_streaming(),
            bytes: bytes::sample(self.schema, binding),
        }
    }
}

/// The tag of a service: its name without "Service".
pub(super) fn tag(service: &ServiceDescriptor) -> String {
    let name = service.name();
    text::words(name.strip_suffix("Service").unwrap_or(name))
}

fn operation_id(binding: &Binding, is_first: bool) -> String {
    let name = binding.method.name();
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    let mut id = format!("{first}{}", letters.as_str());
    if !is_first {
        let verb = binding.verb.to_lowercase();
        id.push_str("By");
        id.extend(verb.chars().take(1).flat_map(char::to_uppercase));
        id.push_str(&verb[1..]);
    }
    id
}

/// The answer to a caller that has the answer already.
fn not_modified() -> Json {
    let mut headers = common_headers();
    headers.set("ETag", reference("headers", "ETag"));
    object([
        ("description", "The caller has it already: `If-None-Match` names its entity tag.".into()),
        ("headers", headers.into()),
    ])
}

fn named_example(example: &Json, value: &Json) -> Json {
    object([("summary", example.text("summary").into()), ("value", value.clone())])
}
