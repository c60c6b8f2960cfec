//! The validators: every `buf.validate` rule of a request becomes a call of the run-time crate. A rule that is not known
//! here is an error of the build, so that none is silently left unchecked.

use anyhow::{Context, Result, bail, ensure};
use proc_macro2::TokenStream;
use prost_reflect::{MessageDescriptor, Value};
use quote::quote;

use crate::model::{Arity, Field, Form, Leaf, Member, Shape, Type};
use crate::names;
use crate::options::Options;
use crate::runtime;
use crate::schema::Schema;

pub(crate) fn message(schema: &Schema, message: &MessageDescriptor) -> Result<TokenStream> {
    if !schema.is_request(message) {
        return Ok(TokenStream::new());
    }
    let gateway = runtime();
    let path = schema.own_path(message);
    let shape = schema.shape(message)?;
    let check = check(schema, message, &shape).with_context(|| message.full_name().to_owned())?;
    let members = schema.members(message)?;
    let clear = each(schema, &members, &quote!(clear_output_only), |field| {
        let rust = &field.rust;
        field.output_only.then(|| quote!(self.#rust = Default::default();))
    });
    let drop = each(schema, &members, &quote!(drop_empty), |field| {
        let rust = &field.rust;
        match (&field.arity, &field.r#type) {
            (Arity::Optional, Type::String) => Some(quote! {
                if self.#rust.as_deref().is_some_and(str::is_empty) { self.#rust = None; }
            }),
            (Arity::Optional, Type::Enum(..)) => Some(quote!(if self.#rust == Some(0) { self.#rust = None; })),
            _ => None,
        }
    });
    Ok(quote! {
        impl #gateway::check::Check for #path {
            fn check(&self, cx: &mut #gateway::check::Checker) {
                let _ = &cx;
                #check
            }

            fn clear_output_only(&mut self) { #clear }

            fn drop_empty(&mut self) { #drop }
        }
    })
}

/// Code for each field: what `of_field` says, else a call of `method` on the messages in it.
fn each(
    schema: &Schema,
    members: &[Member],
    method: &TokenStream,
    of_field: impl Fn(&Field) -> Option<TokenStream>,
) -> TokenStream {
    let mut code = TokenStream::new();
    for member in members {
        match member {
            Member::Field(field) => {
                let rust = &field.rust;
                if let Some(found) = of_field(field) {
                    code.extend(found);
                    continue;
                }
                if !schema.has_check(field) {
                    continue;
                }
                code.extend(match field.arity {
                    Arity::List => quote!(for inner in &mut self.#rust { inner.#method(); }),
                    Arity::Map => quote!(for inner in self.#rust.values_mut() { inner.#method(); }),
                    _ => quote!(if let Some(inner) = &mut self.#rust { inner.#method(); }),
                });
                // A flattened message is its members: without any it is not there.
                if field.flatten.is_some() {
                    code.extend(quote!(if self.#rust == Some(Default::default()) { self.#rust = None; }));
                }
            }
            Member::Oneof(oneof) if oneof.late => {}
            Member::Oneof(oneof) => {
                let (rust, path) = (&oneof.rust, &oneof.path);
                let arms = oneof.fields.iter().filter(|field| schema.has_check(field)).map(|field| {
                    let variant = names::camel(field.descriptor.name());
                    quote!(Some(#path::#variant(inner)) => inner.#method(),)
                });
                code.extend(quote!(match &mut self.#rust { #(#arms)* _ => {} }));
            }
        }
    }
    code
}

fn check(schema: &Schema, message: &MessageDescriptor, shape: &Shape) -> Result<TokenStream> {
    let place = if schema.form(message) == Form::Object { Place::Member } else { Place::Here };
    let mut code = TokenStream::new();
    for leaf in shape.leaves.iter().filter(|leaf| !leaf.is_output_only()) {
        code.extend(leaf_check(schema, leaf, place).with_context(|| leaf.field.descriptor.name().to_owned())?);
    }
    for oneof in shape.oneofs.iter().filter(|oneof| !oneof.late) {
        let rules = schema.extension(&oneof.descriptor.options(), "buf.validate.oneof");
        let required = rules.is_some_and(|rules| rules.flag("required"));
        let (rust, path, slot) = (&oneof.rust, &oneof.path, oneof.slot);
        let mut arms = TokenStream::new();
        for field in &oneof.fields {
            let variant = names::camel(field.descriptor.name());
            let (inner_slot, name) = (field.slot, &field.json);
            if oneof.flatten {
                arms.extend(quote!(Some(#path::#variant(value)) => cx.flattened(#inner_slot, value),));
                continue;
            }
            let rules = Rules::of(schema, field)?;
            let inner = value_check(schema, field, &rules)?;
            arms.extend(quote! {
                Some(#path::#variant(value)) => { let _ = value; cx.enter(#inner_slot, #name); #inner cx.leave(); }
            });
        }
        let none = match (required, &oneof.discriminator) {
            (true, Some(discriminator)) => {
                let tags = oneof.fields.iter().map(|field| &field.json);
                quote!(cx.no_kind(#slot, #discriminator, &[#(#tags),*]))
            }
            (true, None) => {
                let name = oneof.descriptor.name();
                quote!({ cx.enter(#slot, #name); cx.required(); cx.leave(); })
            }
            (false, _) => quote!({}),
        };
        code.extend(quote!(match &self.#rust { #arms None => #none }));
    }
    for rule in
        schema.extension(&message.options(), "buf.validate.message").iter().flat_map(|rules| rules.messages("cel"))
    {
        let rule = Rule::of(&rule)?;
        let function = rule.function(schema)?;
        let (code_name, text) = (&rule.code, &rule.message);
        let problem = match &rule.field {
            None => quote!(cx.problem(#code_name, #text);),
            Some(field) => {
                let leaf = shape.leaves.iter().find(|leaf| leaf.field.descriptor.name() == field);
                let leaf = leaf.with_context(|| format!("rule {}: no field {field}", rule.name))?;
                let (slot, name) = (leaf.slot, &leaf.name);
                quote!(cx.enter(#slot, #name); cx.problem(#code_name, #text); cx.leave();)
            }
        };
        code.extend(quote!(if !#function(self, cx.now()) { #problem }));
    }
    Ok(code)
}

/// Where the problems of a message's fields lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the field's key.
    Member,
    /// Where the message is: its JSON is not an object.
    Here,
}

fn leaf_check(schema: &Schema, leaf: &Leaf, place: Place) -> Result<TokenStream> {
    let field = &leaf.field;
    let rules = Rules::of(schema, field)?;
    let rust = &field.rust;
    let mut owner = quote!(self);
    let mut way = TokenStream::new();
    for (index, (container, path)) in leaf.way.iter().enumerate() {
        let (empty, inner) = (names::ident(&format!("empty{index}")), names::ident(&format!("inner{index}")));
        way.extend(quote! {
            let #empty = <#path>::default();
            let #inner = #owner.#container.as_ref().unwrap_or(&#empty);
        });
        owner = quote!(#inner);
    }
    let value = value_check(schema, field, &rules)?;
    let body = match field.arity {
        Arity::Optional => {
            let missing = if rules.required { quote!(cx.required()) } else { quote!({}) };
            match (&field.r#type, value.is_empty(), rules.required) {
                (_, true, false) => return Ok(TokenStream::new()),
                // Over gRPC the unspecified value is as good as none.
                (Type::Enum(..), _, true) => {
                    quote!(match &#owner.#rust { Some(value) if *value != 0 => { #value } _ => #missing })
                }
                _ => quote!(match &#owner.#rust { Some(value) => { let _ = value; #value } None => #missing }),
            }
        }
        Arity::Implicit => {
            let is_default = match &field.r#type {
                Type::String | Type::Bytes => quote!(value.is_empty()),
                Type::Number("f32" | "f64") => quote!(*value == 0.0),
                Type::Enum(..) | Type::Number(_) => quote!(*value == 0),
                Type::Bool => quote!(!*value),
                Type::Message(..) => bail!("a message field has presence"),
            };
            match (value.is_empty(), rules.required) {
                (true, false) => return Ok(TokenStream::new()),
                (_, true) => quote! {
                    let value = &#owner.#rust;
                    if #is_default { cx.required(); } else { #value }
                },
                (false, false) => quote!(let value = &#owner.#rust; #value),
            }
        }
        Arity::List | Arity::Map => {
            let list = list_check(field, &rules, &quote!(#owner.#rust), value)?;
            if list.is_empty() {
                return Ok(TokenStream::new());
            }
            list
        }
    };
    let (slot, name) = (leaf.slot, &leaf.name);
    Ok(match place {
        Place::Here => quote!({ #way #body }),
        Place::Member if field.header.is_some() => quote!({ cx.enter_header(#name); #body cx.leave(); }),
        Place::Member => quote!({ #way cx.enter(#slot, #name); #body cx.leave(); }),
    })
}

fn list_check(field: &Field, rules: &Rules, place: &TokenStream, value: TokenStream) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    let min = rules.min_items.unwrap_or_default();
    if rules.required {
        code.extend(quote!(if #place.is_empty() { cx.required(); }));
    }
    if min > 0 || rules.max_items.is_some() {
        let max = rules.max_items.map_or(quote!(usize::MAX), |max| quote!(#max));
        code.extend(quote!(cx.items(#place.len(), #min, #max);));
    }
    if value.is_empty() {
        return Ok(code);
    }
    code.extend(match field.arity {
        Arity::Map => quote! {
            for (key, value) in &#place { cx.enter_free(key); #value cx.leave(); }
        },
        _ => quote! {
            for (index, value) in #place.iter().enumerate() { cx.enter_index(index); #value cx.leave(); }
        },
    });
    Ok(code)
}

/// Checks one value, `value`, a reference; empty where there is nothing to check.
fn value_check(schema: &Schema, field: &Field, rules: &Rules) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    match &field.r#type {
        Type::Bool => {}
        Type::String => {
            let (min, max) = (rules.min_len.unwrap_or_default(), rules.max_len);
            let max = max.map_or(quote!(usize::MAX), |max| quote!(#max));
            // A UUID has one form, which says it all.
            if !rules.uuid || rules.min_len.is_some() || rules.max_len.is_some() {
                code.extend(quote!(cx.text(value, #min, #max);));
            }
            if rules.uuid {
                let message = field.form_message.as_deref().unwrap_or("Invalid uuid");
                code.extend(quote!(cx.uuid(value, #message);));
            }
        }
        Type::Bytes => {
            if rules.min_len.is_some() || rules.max_len.is_some() {
                let min = rules.min_len.unwrap_or_default();
                let max = rules.max_len.map_or(quote!(usize::MAX), |max| quote!(#max));
                code.extend(quote!(cx.bytes(value, #min, #max);));
            }
        }
        Type::Enum(path) => code.extend(quote!(cx.enumeration::<#path>(*value);)),
        Type::Number(_) => {
            for (limit, exclusive, is_least) in &rules.limits {
                code.extend(if *is_least {
                    quote!(cx.at_least(*value as f64, #limit, #exclusive);)
                } else {
                    quote!(cx.at_most(*value as f64, #limit, #exclusive);)
                });
            }
            if rules.finite {
                code.extend(quote!(cx.finite(f64::from(*value));));
            }
        }
        Type::Message(message, _) => match message.full_name() {
            "google.protobuf.Struct" => code.extend(quote!(cx.structure(value);)),
            "google.protobuf.ListValue" => code.extend(quote!(cx.list(value);)),
            "google.protobuf.Value" => code.extend(quote!(cx.value(value);)),
            "google.protobuf.StringValue" => code.extend(quote!(cx.text(value, 0, usize::MAX);)),
            name if name.starts_with("google.protobuf.") => {}
            _ => code.extend(quote!(cx.message(value);)),
        },
    }
    for rule in &rules.predefined {
        let function = rule.function(schema)?;
        let (code_name, message) = (&rule.code, field.form_message.as_ref().unwrap_or(&rule.message));
        code.extend(quote!(if !#function(value) { cx.problem(#code_name, #message); }));
    }
    for rule in &rules.cel {
        let function = rule.function(schema)?;
        let (code_name, message) = (&rule.code, &rule.message);
        code.extend(quote!(if !#function(value, cx.now()) { cx.problem(#code_name, #message); }));
    }
    Ok(code)
}

/// A rule that stands in the contract as a CEL expression and here as a Rust function.
struct Rule {
    /// The violation's code: the id before the first dot.
    code: String,
    /// The function's name: the id after it.
    name: String,
    /// Of a message's rule: the field that the problem is at, the id after a second dot.
    field: Option<String>,
    message: String,
}

impl Rule {
    fn of(options: &Options) -> Result<Self> {
        let id = options.string("id").context("a rule without an id")?;
        let message = options.string("message").with_context(|| format!("rule {id} has no message"))?;
        let mut parts = id.split('.').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(code), Some(name), field, None) => Ok(Self { code, name, field, message }),
            _ => bail!("rule {id}: its id is not code.function or code.function.field"),
        }
    }

    fn function(&self, schema: &Schema) -> Result<TokenStream> {
        let module = schema.rules.as_ref().context("rules need Generator::rules")?;
        let name = names::ident(&self.name);
        Ok(quote!(#module::#name))
    }
}

/// The rules of a field that are known here.
#[derive(Default)]
struct Rules {
    required: bool,
    min_len: Option<usize>,
    max_len: Option<usize>,
    uuid: bool,
    min_items: Option<usize>,
    max_items: Option<usize>,
    /// Limit, whether it is excluded, and whether it is the lower one.
    limits: Vec<(f64, bool, bool)>,
    finite: bool,
    predefined: Vec<Rule>,
    cel: Vec<Rule>,
}

impl Rules {
    fn of(schema: &Schema, field: &Field) -> Result<Self> {
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
                ("double" | "float", "finite") => self.finite = value.as_bool().unwrap_or_default(),
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
