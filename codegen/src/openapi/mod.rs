//! The OpenAPI document of the REST API, from the same descriptors and options as the code.
//!
//! What the contract cannot express is in files beside it: `base.json` has prose, headers, the JSON Schemas of rules that are
//! functions, and the webhooks; `examples.json` has calls that were recorded from the service.

mod base;
mod bytes;
mod errors;
mod http_file;
mod json;
mod llms;
mod operations;
mod postman;
mod requests;
mod samples;
mod schemas;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use self::base::Base;
use self::errors::Errors;
use self::json::{Json, Object, object};
use self::operations::{Operations, tag};
use self::schemas::Schemas;
use crate::Generator;
use crate::schema::Schema;

/// The OpenAPI document, and what is made from it.
#[derive(Debug)]
pub struct OpenApi {
    /// OpenAPI 3.1 as JSON.
    pub json: String,
    /// The same as YAML.
    pub yaml: String,
    /// OpenAPI 3.2 as JSON: the items of streams have schemas, which 3.1 has no place for.
    pub json_3_2: String,
    /// The same in short for language models, as <https://llmstxt.org> has it.
    pub llms: String,
    /// The recorded examples as a Postman collection.
    pub postman: String,
    /// The recorded examples as an `.http` file.
    pub http_file: String,
}

impl OpenApi {
    /// Writes `openapi.json`, `openapi.yaml`, `openapi-3.2.json` and `llms.txt` to the build script's output folder.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self) -> Result<()> {
        let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is set in build scripts only")?);
        let files = [
            ("openapi.json", &self.json),
            ("openapi.yaml", &self.yaml),
            ("openapi-3.2.json", &self.json_3_2),
            ("llms.txt", &self.llms),
        ];
        for (name, text) in files {
            std::fs::write(out.join(name), text)?;
        }
        Ok(())
    }
}

impl Generator {
    /// The OpenAPI document, with the files of `folder` beside the contract.
    ///
    /// # Errors
    /// What is wrong with the `.proto` files, their options or the files of the folder, naming the element.
    pub fn openapi(self, folder: impl AsRef<Path>) -> Result<OpenApi> {
        let folders: Vec<&PathBuf> = std::iter::once(&self.root).chain(&self.includes).collect();
        let mut compiler = protox::Compiler::new(&folders)?;
        compiler.include_imports(true).include_source_info(true).open_files(self.all_files()?)?;
        let schema = Schema::new(compiler.descriptor_pool(), &self.packages, &self.extern_paths, self.rules)?;
        let base = Base::read(folder.as_ref())?;
        let document = document(&schema, &base, &self.packages)?;
        let mut newer = document.clone();
        if let Json::Object(newer) = &mut newer {
            newer.set("openapi", "3.2.0");
            newer.0.retain(|(key, _)| key != "jsonSchemaDialect");
        }
        use_item_schemas(&mut newer);
        Ok(OpenApi {
            json: document.pretty(),
            yaml: document.yaml(),
            json_3_2: newer.pretty(),
            llms: llms::text(&document),
            postman: postman::collection(&document).pretty(),
            http_file: http_file::text(&document),
        })
    }
}

/// Describes streams as OpenAPI 3.2 does: by the schema of their items, in place of one of the whole.
fn use_item_schemas(value: &mut Json) {
    match value {
        Json::Object(object) => {
            if object.get(ITEM_SCHEMA).is_some() {
                object.0.retain(|(key, _)| key != "schema");
                if let Some(Json::Object(examples)) = object.get_mut("examples") {
                    examples.0.iter_mut().for_each(|(_, example)| serialize(example));
                }
            }
            for (key, value) in &mut object.0 {
                if key == ITEM_SCHEMA {
                    "itemSchema".clone_into(key);
                }
                use_item_schemas(value);
            }
        }
        Json::Array(items) => items.iter_mut().for_each(use_item_schemas),
        _ => {}
    }
}

/// The example of a stream is the text that is sent, not the items.
fn serialize(example: &mut Json) {
    let Json::Object(example) = example else { return };
    for (key, _) in example.0.iter_mut().filter(|(key, _)| key == "value") {
        "serializedValue".clone_into(key);
    }
}

/// The schema of the items of a stream, in OpenAPI 3.1.
const ITEM_SCHEMA: &str = "x-itemSchema";

fn document(schema: &Schema, base: &Base, packages: &[String]) -> Result<Json> {
    let mut operations = Operations {
        schema,
        schemas: Schemas::new(schema, base),
        errors: Errors::read(schema, packages)?,
        responses: BTreeMap::new(),
        paths: Object::default(),
        all: Vec::new(),
    };
    let mut services: Vec<_> = packages.iter().flat_map(|package| schema.services(package)).collect();
    // What a reader needs first comes first.
    let first = base.part("first_tags")?.items();
    services.sort_by_key(|service| {
        let tag = tag(service);
        first.iter().position(|name| name.as_str() == Some(&tag)).unwrap_or(first.len())
    });
    services.iter().try_for_each(|service| operations.note(service))?;
    let mut tags = Vec::new();
    for service in &services {
        let description = text::comment(&service.parent_file(), service.path());
        tags.push(object([("name", tag(service).into()), ("description", description.into())]));
        operations.service(service)?;
    }
    let webhooks = webhooks(schema, base, packages)?;
    let Operations { schemas, responses, paths, .. } = operations;
    let mut components: BTreeMap<String, Json> = schemas.into_components();
    for (name, component) in base.part("schemas")?.members() {
        ensure!(components.insert(name.clone(), component.clone()).is_none(), "two schemas have the name {name}");
    }
    let components = object([
        ("securitySchemes", base.part("securitySchemes")?.clone()),
        ("parameters", base.part("parameters")?.clone()),
        ("headers", base.part("headers")?.clone()),
        ("schemas", Json::Object(Object(components.into_iter().collect()))),
        ("responses", Json::Object(Object(responses.into_iter().collect()))),
    ]);
    let both = object([("bearerAuth", Json::Array(Vec::new())), ("apiKey", Json::Array(Vec::new()))]);
    Ok(object([
        ("openapi", "3.1.1".into()),
        ("info", base.part("info")?.clone()),
        ("jsonSchemaDialect", "https://spec.openapis.org/oas/3.1/dialect/base".into()),
        ("servers", base.part("servers")?.clone()),
        ("security", vec![both].into()),
        ("tags", tags.into()),
        ("paths", paths.into()),
        ("webhooks", webhooks),
        ("components", components),
    ]))
}

/// One entry for each event that a receiver may get.
fn webhooks(schema: &Schema, base: &Base, packages: &[String]) -> Result<Json> {
    let part = base.part("webhooks")?;
    let name = part.text("enum");
    let mut enums = packages.iter().flat_map(|package| schema.enums(package));
    let events = enums.find(|found| found.name() == name).with_context(|| format!("there is no enum {name}"))?;
    let common = part.get("operation").context("base.json has no operation of webhooks")?;
    let mut found = Object::default();
    for value in schema.enum_values(&events)? {
        let body = part.get("bodies").and_then(|bodies| bodies.get(&value.json));
        let body = body.with_context(|| format!("base.json has no body of the webhook {}", value.json))?;
        let declared = events.get_value(value.number).context("a value of this enum")?;
        let comment = text::comment(&events.parent_file(), declared.path());
        let comment = if comment.is_empty() { text::title(&value.json) } else { comment };
        let mut operation = Object::default();
        let id: String = value.json.split(['.', '_']).map(text::capitalized).collect();
        operation.set("operationId", format!("on{id}"));
        operation.set("summary", text::summary(&comment));
        operation.set("description", comment);
        operation.extend(common);
        let mut content = Object::default();
        content.set("schema", body.get("schema").context("a webhook's body has a schema")?.clone());
        body.get("example").into_iter().for_each(|example| content.set("example", example.clone()));
        let content = object([("application/json", content.into())]);
        operation.set("requestBody", object([("required", true.into()), ("content", content)]));
        found.set(value.json, object([("post", operation.into())]));
    }
    Ok(found.into())
}
