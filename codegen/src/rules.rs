//! The rules of `buf.validate` that the generator knows. One that is not known is an error of the build.

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::TokenStream;
use prost_reflect::Value;
use quote::quote;

use crate::model::Field;
use crate::names;
use crate::options::Options;
use crate::schema::Schema;

/// A rule that is a CEL expression in the contract and a Rust function here.
pub(crate) struct Rule {
    /// The violation's code: the id before the first dot.
    pub(crate) code: String,
    /// The function's name: the id after it.
    pub(crate) name: String,
    /// The id after a second dot: of the rule of a message the field that the problem is at, of a free structure
    /// [`KEYS`](crate::check::KEYS).
    pub(crate) field: Option<String>,
    pub(crate) message: String,
}

impl Rule {
    pub(crate) fn of(options: &Options) -> Result<Self> {
        let id = options.string("id").context("a rule without an id")?;
        let message = options.string("message").with_context(|| format!("rule {id} has no message"))?;
        let mut parts = id.split('.').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(code), Some(name), field, None) => Ok(Self { code, name, field, message }),
            _ => bail!("rule {id}: its id is not code.function or code.function.field"),
        }
    }

    pub(crate) fn function(&self, schema: &Schema) -> Result<TokenStream> {
        let module = schema.rules.as_ref().context("rules need Generator::rules")?;
        let name = names::ident(&self.name);
        Ok(quote!(#module::#name))
    }
}

/// The rules of a field that are known here.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) required: bool,
    pub(crate) min_len: Option<usize>,
    pub(crate) max_len: Option<usize>,
    pub(crate) uuid: bool,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    /// Limit, whether it is excluded, and whether it is the lower one.
    pub(crate) limits: Vec<(f64, bool, bool)>,
    pub(crate) predefined: Vec<Rule>,
    pub(crate) cel: Vec<Rule>,
}

impl Rules {
    pub(crate) fn of(schema: &Schema, field: &Field) -> Result<Self> {
        let mut rules = Self::default();
        if let Some(options) = schema.extension(&field.descriptor.options(), "buf.validate.field") {
            rules.read(schema, &options)?;
        }
        Ok(rules)
    }

    fn read(&mut self, schema: &Schema, options: &Options) -> Result<()> {
        for (field, value) in options.dynamic().fields() {
            match field.name() {
                "required" => self.required = value.as_bool().unwrap_or_default(),
                "cel" => {
                    for rule in options.messages("cel") {
                        self.cel.push(Rule::of(&rule)?);
                    }
                }
                kind @ ("string" | "bytes" | "repeated" | "enum" | "double" | "float" | "int32" | "int64"
                | "uint32" | "uint64") => {
                    let inner = options.message(kind).context("rules of a type")?;
                    self.read_kind(schema, kind, &inner)?;
                }
                other => bail!("the rule `{other}` of buf.validate is not supported"),
            }
        }
        Ok(())
    }

    fn read_kind(&mut self, schema: &Schema, kind: &str, options: &Options) -> Result<()> {
        let size = |value: &Value| -> Option<usize> { usize::try_from(value.as_u64()?).ok() };
        for (field, value) in options.dynamic().fields() {
            match (kind, field.name()) {
                ("string" | "bytes", "min_len") => self.min_len = size(value),
                ("string" | "bytes", "max_len") => self.max_len = size(value),
                ("string", "uuid") => self.uuid = value.as_bool().unwrap_or_default(),
                ("repeated", "min_items") => self.min_items = size(value),
                ("repeated", "max_items") => self.max_items = size(value),
                ("repeated", "items") => {
                    let items = options.message("items").context("rules of items")?;
                    let mut inner = Self::default();
                    inner.read(schema, &items)?;
                    ensure!(!inner.required, "`required` says nothing of items");
                    let (min_items, max_items) = (self.min_items, self.max_items);
                    *self = Self { required: self.required, min_items, max_items, ..inner };
                }
                ("enum", "defined_only") => {}
                // Every number is, in every request.
                ("double" | "float", "finite") => {}
                (_, limit @ ("gt" | "gte" | "lt" | "lte")) => {
                    let number = number(value).context("a limit is a number")?;
                    self.limits.push((number, !limit.ends_with('e'), limit.starts_with('g')));
                }
                (kind, other) => bail!("the rule `{kind}.{other}` of buf.validate is not supported"),
            }
        }
        for (extension, value) in options.dynamic().extensions() {
            if value.as_bool() != Some(true) {
                continue;
            }
            let predefined = schema
                .extension(&extension.options(), "buf.validate.predefined")
                .with_context(|| format!("{} is no predefined rule", extension.full_name()))?;
            for rule in predefined.messages("cel") {
                self.predefined.push(Rule::of(&rule)?);
            }
        }
        Ok(())
    }
}

fn number(value: &Value) -> Option<f64> {
    Some(match value {
        Value::F64(number) => *number,
        Value::F32(number) => f64::from(*number),
        Value::I32(number) => f64::from(*number),
        Value::U32(number) => f64::from(*number),
        Value::I64(number) => *number as f64,
        Value::U64(number) => *number as f64,
        _ => return None,
    })
}
