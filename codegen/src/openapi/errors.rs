//! Errors by status, with their reasons.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use super::json::{Json, Object, object, reference};
use super::schemas::Schemas;
use super::text;
use crate::schema::Schema;

/// An error reason.
struct Reason {
    /// The `code` of the REST error.
    code: String,
    message: String,
    /// When it is given.
    comment: String,
}

/// All error reasons by their HTTP statuses.
pub(super) struct Errors {
    by_status: BTreeMap<u64, Vec<Reason>>,
    statuses: BTreeMap<String, u64>,
}

/// The reasons that a call may give, by their JSON names.
pub(super) type Reasons = BTreeSet<String>;

/// Statuses whose answers say when to try again.
const WITH_RETRY_AFTER: [u64; 3] = [429, 503, 504];

impl Errors {
    /// Reads the enums whose values have the option `reason`.
    pub(super) fn read(schema: &Schema, packages: &[String]) -> Result<Self> {
        let mut found = Self { by_status: BTreeMap::new(), statuses: BTreeMap::new() };
        for descriptor in packages.iter().flat_map(|package| schema.enums(package)) {
            for value in schema.enum_values(&descriptor)? {
                let Some(reason) = value.reason else { continue };
                let declared = descriptor.get_value(value.number).context("a value of this enum")?;
                let status = reason.number("http_status").context("a reason has a status")?;
                found.statuses.insert(value.json.clone(), status);
                found.by_status.entry(status).or_default().push(Reason {
                    code: value.json,
                    message: reason.string("message").unwrap_or_default(),
                    comment: text::comment(&descriptor.parent_file(), declared.path()),
                });
            }
        }
        ensure!(!found.by_status.is_empty(), "no enum has error reasons");
        Ok(found)
    }

    /// The responses of a call with these reasons, by status. Those that are the same everywhere are components.
    pub(super) fn responses(
        &self,
        schemas: &mut Schemas<'_>,
        components: &mut BTreeMap<String, Json>,
        reasons: &Reasons,
    ) -> Result<Vec<(String, Json)>> {
        let mut by_status: BTreeMap<u64, Vec<&Reason>> = BTreeMap::new();
        for code in reasons {
            let status = self.statuses.get(code).with_context(|| format!("there is no error reason {code}"))?;
            let all = &self.by_status[status];
            by_status.entry(*status).or_default().extend(all.iter().filter(|reason| reason.code == *code));
        }
        let mut responses = Vec::new();
        for (status, reasons) in by_status {
            let response = self.response(schemas, status, &reasons)?;
            let name = phrase(status)?;
            let is_whole = reasons.len() == self.by_status[&status].len();
            responses.push((
                status.to_string(),
                match is_whole {
                    true => {
                        components.entry(name.to_owned()).or_insert(response);
                        reference("responses", name)
                    }
                    false => response,
                },
            ));
        }
        Ok(responses)
    }

    fn response(&self, schemas: &mut Schemas<'_>, status: u64, reasons: &[&Reason]) -> Result<Json> {
        let mut headers = common_headers();
        if WITH_RETRY_AFTER.contains(&status) {
            headers.set("Retry-After", reference("headers", "RetryAfter"));
        }
        if status == 416 {
            headers.set("Content-Range", reference("headers", "ContentRange"));
        }
        if status == 401 {
            headers.set("WWW-Authenticate", reference("headers", "WwwAuthenticate"));
        }
        let (schema, examples) = match status {
            400 => (reference("schemas", "ValidationError"), schemas.base.part("validation_examples")?.clone()),
            _ => (self.schema(schemas, status)?, examples(reasons)),
        };
        let content = object([("schema", schema), ("examples", examples)]);
        let description = reasons.iter().map(|reason| {
            let comment =
                if reason.comment.is_empty() { format!("{}.", reason.message) } else { reason.comment.clone() };
            format!("`{}`: {comment}", if status == 400 { "Invalid request data" } else { &reason.code })
        });
        let description = description.collect::<Vec<_>>().join("\n\n");
        Ok(object([
            ("description", description.into()),
            ("headers", headers.into()),
            ("content", object([("application/json", content)])),
        ]))
    }

    fn schema(&self, schemas: &mut Schemas<'_>, status: u64) -> Result<Json> {
        let name = format!("{}Error", phrase(status)?.trim_end_matches("Error"));
        let codes: Vec<_> = self.by_status[&status].iter().map(|reason| reason.code.clone()).collect();
        Ok(schemas.add(&name, || {
            let code = object([
                ("type", "string".into()),
                ("description", "The machine code: decide by this one.".into()),
                ("enum", codes.into()),
            ]);
            let message = object([("type", "string".into()), ("description", "A sentence for people.".into())]);
            object([
                ("type", "object".into()),
                ("description", format!("An error with the status {status}.").into()),
                ("required", vec!["code", "message"].into()),
                ("properties", object([("code", code), ("message", message)])),
            ])
        }))
    }
}

/// The headers of every answer.
pub(super) fn common_headers() -> Object {
    let mut headers = Object::default();
    headers.set("X-Request-Id", reference("headers", "RequestId"));
    headers.set("RateLimit", reference("headers", "RateLimit"));
    headers.set("RateLimit-Policy", reference("headers", "RateLimitPolicy"));
    headers
}

fn examples(reasons: &[&Reason]) -> Json {
    let mut examples = Object::default();
    for Reason { code, message, .. } in reasons {
        let value = object([("code", code.as_str().into()), ("message", message.as_str().into())]);
        examples.set(code.clone(), object([("value", value)]));
    }
    examples.into()
}

/// The name of a status in RFC 9110, as the name of a component.
fn phrase(status: u64) -> Result<&'static str> {
    Ok(match status {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        408 => "RequestTimeout",
        409 => "Conflict",
        410 => "Gone",
        412 => "PreconditionFailed",
        413 => "ContentTooLarge",
        415 => "UnsupportedMediaType",
        416 => "RangeNotSatisfiable",
        429 => "TooManyRequests",
        500 => "InternalServerError",
        501 => "NotImplemented",
        503 => "ServiceUnavailable",
        504 => "GatewayTimeout",
        _ => anyhow::bail!("the status {status} has no name here"),
    })
}
