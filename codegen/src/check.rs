//! The validators: every `buf.validate` rule of a request becomes a call of the run-time crate. A rule that is not known
//! here is an error of the build, so that none is silently left unchecked.

use anyhow::{Context, Result, bail};
use proc_macro2::{Ident, TokenStream};
use prost_reflect::MessageDescriptor;
use quote::quote;

use crate::model::{Arity, Field, Form, Leaf, Member, Shape, Type};
use crate::names;
use crate::rules::{Rule, Rules};
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
    let place = if schema.form(message) == Form::Object { ReportAt::Member } else { ReportAt::Here };
    let mut code = TokenStream::new();
    let flattened = flattened(schema, message)?;
    // Only the service knows what a change is a change of: it judges the result.
    let is_judged = |leaf: &&Leaf| {
        let field = leaf.way.first().map(|(field, _)| field);
        flattened.iter().any(|inner| inner.is_change && Some(&inner.field) == field)
    };
    for leaf in shape.leaves.iter().filter(|leaf| !leaf.is_output_only() && !is_judged(leaf)) {
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
    code.extend(message_rules(schema, message, shape, None)?);
    for Flattened { field, message: inner, .. } in flattened.iter().filter(|inner| !inner.is_change) {
        code.extend(message_rules(schema, inner, shape, Some(field))?);
    }
    Ok(code)
}

/// The rules about a message as a whole: this one, or the one that is flattened into it as `of`.
fn message_rules(
    schema: &Schema,
    message: &MessageDescriptor,
    shape: &Shape,
    of: Option<&Ident>,
) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    for rule in
        schema.extension(&message.options(), "buf.validate.message").iter().flat_map(|rules| rules.messages("cel"))
    {
        let rule = Rule::of(&rule)?;
        let function = rule.function(schema)?;
        let (code_name, text) = (&rule.code, &rule.message);
        let problem = match &rule.field {
            None => quote!(cx.problem(#code_name, #text);),
            Some(field) => {
                let is_it = |leaf: &&Leaf| {
                    let outer = of.is_none_or(|of| leaf.way.first().is_some_and(|(field, _)| field == of));
                    outer && leaf.field.descriptor.name() == field
                };
                let leaf = shape.leaves.iter().find(is_it);
                let leaf = leaf.with_context(|| format!("rule {}: no field {field}", rule.name))?;
                let (slot, name) = (leaf.slot, &leaf.name);
                quote!(cx.enter(#slot, #name); cx.problem(#code_name, #text); cx.leave();)
            }
        };
        code.extend(match of {
            None => quote!(if !#function(self, cx.now()) { #problem }),
            Some(of) => quote! {
                if let Some(inner) = &self.#of {
                    if !#function(inner, cx.now()) { #problem }
                }
            },
        });
    }
    Ok(code)
}

/// A message whose keys are keys of the enclosing one.
struct Flattened {
    /// The field that it is.
    field: Ident,
    message: MessageDescriptor,
    /// Whether it is a change of a stored message.
    is_change: bool,
}

fn flattened(schema: &Schema, message: &MessageDescriptor) -> Result<Vec<Flattened>> {
    let mut found = Vec::new();
    for member in schema.members(message)? {
        if let Member::Field(Field { r#type: Type::Message(message, _), flatten: Some(_), rust: field, .. }) = member {
            let is_change = schema.changed(&message)?.is_some();
            found.push(Flattened { field, message, is_change });
        }
    }
    Ok(found)
}

/// Where the problems of a message's fields lie.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ReportAt {
    /// At the field's key.
    Member,
    /// Where the message is: its JSON is not an object.
    Here,
}

fn leaf_check(schema: &Schema, leaf: &Leaf, place: ReportAt) -> Result<TokenStream> {
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
                (Type::Enum(path), ..) if field.discriminator => {
                    quote!(cx.kind::<#path>(#owner.#rust.unwrap_or_default());)
                }
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
                // The unspecified value is how a message without presence says that there is none.
                (false, false) if matches!(field.r#type, Type::Enum(..)) => quote! {
                    let value = &#owner.#rust;
                    if !#is_default { #value }
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
        ReportAt::Here => quote!({ #way #body }),
        ReportAt::Member if field.header.is_some() => quote!({ cx.enter_header(#name); #body cx.leave(); }),
        ReportAt::Member => quote!({ #way cx.enter(#slot, #name); #body cx.leave(); }),
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
    if value.is_empty() && !matches!(field.arity, Arity::Map) {
        return Ok(code);
    }
    code.extend(match field.arity {
        Arity::Map => quote! {
            for (key, value) in &#place {
                let _ = value;
                cx.enter_free(key);
                cx.text(key, 0, usize::MAX);
                #value
                cx.leave();
            }
        },
        _ => {
            // Of an array that is too long, the elements beyond its limit are not looked at.
            let most = rules.max_items.map(|max| quote!(.take(#max)));
            if field.each_alone {
                return Ok(quote! {
                    #code
                    for (index, value) in #place.iter().enumerate()#most { cx.alone(index, |cx| { #value }); }
                });
            }
            quote! {
                for (index, value) in #place.iter().enumerate()#most { cx.enter_index(index); #value cx.leave(); }
            }
        }
    });
    Ok(code)
}

/// Checks a text, `value`: its length first, and its form only if it is not too long.
fn text_check(schema: &Schema, field: &Field, rules: &Rules) -> Result<TokenStream> {
    let mut form = reader_check(field, rules);
    if rules.uuid {
        let message = field.form_message.as_deref().unwrap_or("Invalid uuid");
        form.extend(quote!(cx.uuid(value, #message);));
    }
    for rule in &rules.predefined {
        let function = rule.function(schema)?;
        let (code_name, message) = (&rule.code, field.form_message.as_ref().unwrap_or(&rule.message));
        let holds = match rules.max_len {
            Some(_) => quote!(#function(value)),
            None => quote!(cx.has_form(value, #function)),
        };
        form.extend(quote!(if !#holds { cx.problem(#code_name, #message); }));
    }
    // A UUID has one form, which says it all.
    if rules.uuid && rules.min_len.is_none() && rules.max_len.is_none() {
        return Ok(form);
    }
    let (min, max) = (rules.min_len.unwrap_or_default(), rules.max_len);
    let max = max.map_or(quote!(usize::MAX), |max| quote!(#max));
    Ok(match form.is_empty() {
        true => quote!(cx.text(value, #min, #max);),
        false => quote!(if cx.text(value, #min, #max) { #form }),
    })
}

/// Checks one value, `value`, a reference; empty where there is nothing to check.
fn value_check(schema: &Schema, field: &Field, rules: &Rules) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    match &field.r#type {
        Type::Bool => {}
        Type::String => code.extend(text_check(schema, field, rules)?),
        Type::Bytes => {
            if rules.min_len.is_some() || rules.max_len.is_some() {
                let min = rules.min_len.unwrap_or_default();
                let max = rules.max_len.map_or(quote!(usize::MAX), |max| quote!(#max));
                code.extend(quote!(cx.bytes(value, #min, #max);));
            }
        }
        Type::Enum(path) => code.extend(quote!(cx.specified::<#path>(*value); cx.enumeration::<#path>(*value);)),
        Type::Number(_) => {
            let mut limits = TokenStream::new();
            for (limit, exclusive, is_least) in &rules.limits {
                limits.extend(if *is_least {
                    quote!(cx.at_least(*value as f64, #limit, #exclusive);)
                } else {
                    quote!(cx.at_most(*value as f64, #limit, #exclusive);)
                });
            }
            code.extend(match &field.r#type {
                // JSON has no other numbers.
                Type::Number("f32" | "f64") => quote!(if cx.finite(f64::from(*value)) { #limits }),
                _ => limits,
            });
        }
        Type::Message(message, _) => match message.full_name() {
            "google.protobuf.Struct" => code.extend(quote!(cx.structure(value);)),
            "google.protobuf.ListValue" => code.extend(quote!(cx.list(value);)),
            "google.protobuf.Value" => code.extend(quote!(cx.value(value);)),
            "google.protobuf.StringValue" => code.extend(quote!(cx.text(value, 0, usize::MAX);)),
            "google.protobuf.DoubleValue" | "google.protobuf.FloatValue" => {
                code.extend(quote!(cx.finite(f64::from(*value));));
            }
            "google.protobuf.Timestamp" => code.extend(quote!(cx.timestamp(value);)),
            "google.protobuf.Duration" => code.extend(quote!(cx.duration(value);)),
            name if name.starts_with("google.protobuf.") => {}
            _ => code.extend(quote!(cx.message(value);)),
        },
    }
    for rule in &rules.cel {
        let function = rule.function(schema)?;
        let (code_name, message) = (&rule.code, &rule.message);
        code.extend(match rule.field.as_deref() {
            Some(KEYS) => quote! {
                for key in #function(value, cx.now()) {
                    cx.enter_free(&key);
                    cx.problem(#code_name, #message);
                    cx.leave();
                }
            },
            _ => quote!(if !#function(value, cx.now()) { cx.problem(#code_name, #message); }),
        });
    }
    Ok(code)
}

/// In place of a field's name: the rule's function names the keys of a free structure that break it.
pub(crate) const KEYS: &str = "keys";

/// What a text must be to a reader: one that must not be empty shows something, and a number is whole.
fn reader_check(field: &Field, rules: &Rules) -> TokenStream {
    let mut code = TokenStream::new();
    if matches!(field.r#type, Type::String) && rules.min_len.is_some_and(|min| min > 0) {
        code.extend(quote!(cx.visible(value);));
    }
    if field.number {
        code.extend(quote!(cx.unmasked(value);));
    }
    code
}
