//! Reads the contract: descriptors joined with the options that shape them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use heck::ToShoutySnakeCase;
use proc_macro2::TokenStream;
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, OneofDescriptor, ServiceDescriptor, Value,
};
use quote::quote;

use crate::model::{Arity, EnumValue, Field, Form, Impact, Leaf, Member, Oneof, Shape, Type};
use crate::names;
use crate::options::Options;
use crate::well_known::{TEXTS, wrapper};

/// All files, and the packages to generate.
pub(crate) struct Schema {
    pool: DescriptorPool,
    packages: Vec<String>,
    extern_paths: BTreeMap<String, TokenStream>,
    pub(crate) rules: Option<TokenStream>,
    /// Full names of the messages that requests consist of.
    requests: BTreeSet<String>,
    /// Full names of the messages that responses consist of.
    responses: BTreeSet<String>,
    /// Full names of the messages that changes are about, and of what they consist of.
    stored: BTreeSet<String>,
}

impl Schema {
    pub(crate) fn new(
        pool: DescriptorPool,
        packages: &[String],
        extern_paths: &[(String, String)],
        rules: Option<String>,
    ) -> Result<Self> {
        let parse = |path: &str| path.parse::<TokenStream>().map_err(|error| anyhow::anyhow!("{path}: {error}"));
        let mut externs = BTreeMap::from([("google.protobuf".to_owned(), quote!(::prost_types))]);
        for (proto, rust) in extern_paths {
            externs.insert(proto.trim_start_matches('.').to_owned(), parse(rust)?);
        }
        let mut requests = BTreeSet::new();
        let mut responses = BTreeSet::new();
        for service in pool.services().filter(|service| packages.iter().any(|own| own == service.package_name())) {
            for method in service.methods() {
                reach(&method.input(), &mut requests);
                reach(&method.output(), &mut responses);
            }
        }
        let mut schema = Self {
            pool,
            packages: packages.to_vec(),
            extern_paths: externs,
            rules: rules.as_deref().map(parse).transpose()?,
            requests,
            responses,
            stored: BTreeSet::new(),
        };
        let mut stored = BTreeSet::new();
        for package in packages {
            for message in schema.messages(package) {
                if let Some(changed) = schema.changed(&message)? {
                    reach(&changed, &mut stored);
                }
            }
        }
        schema.stored = stored;
        Ok(schema)
    }

    /// The message that this one is a change of.
    pub(crate) fn changed(&self, message: &MessageDescriptor) -> Result<Option<MessageDescriptor>> {
        let shape = self.extension(&message.options(), "kira.api.v1.message");
        let Some(name) = shape.and_then(|shape| shape.string("changes")) else { return Ok(None) };
        let full_name = format!("{}.{name}", message.package_name());
        let changed = self.pool.get_message_by_name(&full_name);
        changed.map(Some).with_context(|| format!("{}: there is no message {full_name}", message.full_name()))
    }

    /// Whether the message is one that changes are about, or a part of one.
    pub(crate) fn is_stored(&self, message: &MessageDescriptor) -> bool {
        self.stored.contains(message.full_name())
    }

    /// Whether the types of a package have Rust types: generated ones, or others that were named.
    pub(crate) fn has_package(&self, package: &str) -> bool {
        self.packages.iter().any(|own| own == package) || self.extern_paths.contains_key(package)
    }

    /// Whether the field holds messages that are checked themselves.
    pub(crate) fn has_check(&self, field: &Field) -> bool {
        matches!(&field.r#type, Type::Message(message, _) if !message.full_name().starts_with("google.protobuf."))
    }

    /// Whether a request without this field is refused.
    pub(crate) fn is_required(&self, field: &Field) -> bool {
        let rules = self.extension(&field.descriptor.options(), "buf.validate.field");
        rules.is_some_and(|rules| rules.flag("required"))
    }

    /// Whether a request without any member of this oneof is refused.
    pub(crate) fn is_required_oneof(&self, oneof: &Oneof) -> bool {
        let rules = self.extension(&oneof.descriptor.options(), "buf.validate.oneof");
        rules.is_some_and(|rules| rules.flag("required"))
    }

    /// Whether a text can represent the message, so that a path or a query can hold it.
    pub(crate) fn is_text(&self, message: &MessageDescriptor) -> Result<bool> {
        Ok(match self.form(message) {
            Form::DataUri => true,
            Form::Transparent => self.transparent_scalar(message)?,
            Form::Object => TEXTS.contains(&message.full_name()),
        })
    }

    /// Whether the only field of a transparent message is a scalar that is always there.
    pub(crate) fn transparent_scalar(&self, message: &MessageDescriptor) -> Result<bool> {
        Ok(match self.members(message)?.as_slice() {
            [Member::Field(field)] => {
                matches!(field.arity, Arity::Implicit) && !matches!(field.r#type, Type::Message(..))
            }
            _ => false,
        })
    }

    /// Whether requests contain the message.
    pub(crate) fn is_request(&self, message: &MessageDescriptor) -> bool {
        self.requests.contains(message.full_name())
    }

    /// Whether responses contain the message.
    pub(crate) fn is_response(&self, message: &MessageDescriptor) -> bool {
        self.responses.contains(message.full_name())
    }

    /// The files that prost has to see: those of the packages to generate, and those whose types live elsewhere.
    pub(crate) fn files(&self) -> impl Iterator<Item = FileDescriptor> {
        let wanted = |file: &FileDescriptor| {
            let package = file.package_name();
            self.packages.iter().any(|own| own == package) || self.extern_paths.contains_key(package)
        };
        self.pool.files().filter(wanted)
    }

    /// The messages of a package, nested ones too, without the entries of maps.
    pub(crate) fn messages(&self, package: &str) -> Vec<MessageDescriptor> {
        let of_package = |message: &MessageDescriptor| message.package_name() == package && !message.is_map_entry();
        self.pool.all_messages().filter(of_package).collect()
    }

    pub(crate) fn enums(&self, package: &str) -> Vec<EnumDescriptor> {
        self.pool.all_enums().filter(|item| item.package_name() == package).collect()
    }

    pub(crate) fn services(&self, package: &str) -> Vec<ServiceDescriptor> {
        self.pool.services().filter(|service| service.package_name() == package).collect()
    }

    /// The value of the extension `name`, a message, of an element's options.
    pub(crate) fn extension(&self, options: &DynamicMessage, name: &str) -> Option<Options> {
        let extension = self.pool.get_extension_by_name(name)?;
        let found = options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())?;
        found.as_message().cloned().map(Options)
    }

    /// The path of a message's or enum's Rust type, from the root of the module of `from`.
    pub(crate) fn type_path(&self, full_name: &str, package: &str, from: &str) -> TokenStream {
        match self.extern_paths.get(package) {
            Some(module) => {
                let local = names::within_package(full_name, package);
                quote!(#module::#local)
            }
            None => names::type_path(full_name, package, from),
        }
    }

    /// The path of a message's Rust type, from the root of the module of `from`.
    pub(crate) fn message_path(&self, message: &MessageDescriptor, from: &str) -> TokenStream {
        wrapper(message.full_name())
            .unwrap_or_else(|| self.type_path(message.full_name(), message.package_name(), from))
    }

    /// The path of a message's own type, within its package.
    pub(crate) fn own_path(&self, message: &MessageDescriptor) -> TokenStream {
        names::within_package(message.full_name(), message.package_name())
    }

    pub(crate) fn form(&self, message: &MessageDescriptor) -> Form {
        match self.extension(&message.options(), "kira.api.v1.message") {
            Some(shape) if shape.flag("data_uri") => Form::DataUri,
            Some(shape) if shape.flag("transparent") => Form::Transparent,
            _ => Form::Object,
        }
    }

    /// The message's parts, with their places in the order of its JSON object.
    pub(crate) fn members(&self, message: &MessageDescriptor) -> Result<Vec<Member>> {
        let mut slot = 0;
        let mut members = Vec::new();
        let mut seen_oneofs = Vec::new();
        let mut descriptors: Vec<FieldDescriptor> = message.fields().collect();
        descriptors.sort_by_key(|field| field.path().last().copied());
        for descriptor in descriptors {
            match descriptor.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
                Some(oneof) if seen_oneofs.contains(&oneof.full_name().to_owned()) => {}
                Some(oneof) => {
                    seen_oneofs.push(oneof.full_name().to_owned());
                    members.push(Member::Oneof(self.oneof(&oneof)?));
                }
                None => members.push(Member::Field(self.field(&descriptor)?)),
            }
        }
        for member in &mut members {
            match member {
                Member::Field(field) => {
                    field.slot = slot;
                    slot += self.width(field)?;
                }
                Member::Oneof(oneof) => {
                    oneof.slot = slot;
                    slot += 1;
                    let mut end = slot;
                    for (index, field) in oneof.fields.iter_mut().enumerate() {
                        // Only one kind is ever there, so that flattened ones share their places.
                        field.slot = if oneof.flatten { slot } else { slot + u32::try_from(index)? };
                        let width = if oneof.flatten { self.size(field)? } else { 1 };
                        end = Ord::max(end, field.slot + width);
                    }
                    slot = end;
                }
            }
        }
        Ok(members)
    }

    /// The message's JSON object.
    pub(crate) fn shape(&self, message: &MessageDescriptor) -> Result<Shape> {
        let mut shape = Shape { leaves: Vec::new(), oneofs: Vec::new(), slots: self.slots(message)? };
        for member in self.members(message)? {
            match member {
                Member::Oneof(oneof) => shape.oneofs.push(oneof),
                Member::Field(field) => {
                    let slot = field.slot;
                    let (input_only, output_only) = (field.input_only, field.output_only);
                    let name = field.header.clone().unwrap_or_else(|| field.json.clone());
                    let leaf = Leaf { name, slot, way: Vec::new(), input_only, output_only, field };
                    self.leaves(leaf, "", &mut shape.leaves)?;
                }
            }
        }
        shape.check_names().with_context(|| message.full_name().to_owned())?;
        Ok(shape)
    }

    /// Adds a member, or those of the flattened message that it is.
    fn leaves(&self, leaf: Leaf, prefix: &str, found: &mut Vec<Leaf>) -> Result<()> {
        let (Some(own_prefix), Type::Message(message, path)) = (&leaf.field.flatten, &leaf.field.r#type) else {
            found.push(Leaf { name: format!("{prefix}{}", leaf.name), ..leaf });
            return Ok(());
        };
        let prefix = format!("{prefix}{own_prefix}");
        for member in self.members(message)? {
            let Member::Field(field) = member else {
                bail!("{}: a oneof within a flattened message", message.full_name());
            };
            let mut way = leaf.way.clone();
            way.push((leaf.field.rust.clone(), path.clone()));
            let inner = Leaf {
                name: field.json.clone(),
                slot: leaf.slot + field.slot,
                way,
                input_only: leaf.input_only || field.input_only,
                output_only: leaf.output_only || field.output_only,
                field,
            };
            self.leaves(inner, &prefix, found)?;
        }
        Ok(())
    }

    fn width(&self, field: &Field) -> Result<u32> {
        if field.flatten.is_some() { self.size(field) } else { Ok(1) }
    }

    /// How many places the members of a message field take.
    fn size(&self, field: &Field) -> Result<u32> {
        let Type::Message(message, _) = &field.r#type else {
            bail!("{}: only a message can be flattened", field.descriptor.full_name());
        };
        self.slots(message)
    }

    /// How many places the members of a message take.
    fn slots(&self, message: &MessageDescriptor) -> Result<u32> {
        let mut end = 0;
        for member in self.members(message)? {
            match member {
                Member::Field(field) => end = Ord::max(end, field.slot + self.width(&field)?),
                Member::Oneof(oneof) => {
                    for field in &oneof.fields {
                        let width = if oneof.flatten { self.size(field)? } else { 1 };
                        end = Ord::max(end, field.slot + width);
                    }
                }
            }
        }
        Ok(end)
    }

    fn oneof(&self, descriptor: &OneofDescriptor) -> Result<Oneof> {
        let shape = self.extension(&descriptor.options(), "kira.api.v1.oneof");
        let message = descriptor.parent_message();
        let module = names::snake(message.name());
        let outer = message.parent_message().map(|outer| {
            let path = outer.full_name().strip_prefix(outer.package_name()).unwrap_or_default();
            path.split('.').filter(|part| !part.is_empty()).map(names::snake).collect::<Vec<_>>()
        });
        let outer = outer.unwrap_or_default();
        let name = names::camel(descriptor.name());
        let mut fields = Vec::new();
        for field in descriptor.fields() {
            fields.push(self.field(&field)?);
        }
        Ok(Oneof {
            rust: names::snake(descriptor.name()),
            path: quote!(#(#outer::)* #module::#name),
            flatten: shape.as_ref().is_some_and(|shape| shape.flag("flatten")),
            discriminator: shape.as_ref().and_then(|shape| shape.string("discriminator")),
            late: shape.as_ref().is_some_and(|shape| shape.flag("late")),
            descriptor: descriptor.clone(),
            fields,
            slot: 0,
        })
    }

    /// Whether only the service can read the body of this request.
    pub(crate) fn is_late(&self, message: &MessageDescriptor) -> Result<bool> {
        let late = |member: &Member| matches!(member, Member::Oneof(oneof) if oneof.late);
        Ok(self.members(message)?.iter().any(late))
    }

    fn field(&self, descriptor: &FieldDescriptor) -> Result<Field> {
        let options = descriptor.options();
        let shape = self.extension(&options, "kira.api.v1.field");
        let shape = shape.as_ref();
        let behaviors = self.behaviors(&options);
        let (r#type, arity) = self.type_and_arity(descriptor)?;
        let text = |name: &str| shape.and_then(|shape| shape.string(name));
        let flatten = shape.is_some_and(|shape| shape.flag("flatten"));
        ensure!(
            !flatten || matches!(r#type, Type::Message(..)),
            "{}: only a message can be flattened",
            descriptor.full_name()
        );
        Ok(Field {
            rust: names::snake(descriptor.name()),
            json: text("json_name").unwrap_or_else(|| descriptor.name().to_owned()),
            aliases: shape.map(|shape| shape.strings("json_aliases")).unwrap_or_default(),
            flatten: flatten.then(|| text("flatten_prefix").unwrap_or_default()),
            header: text("header"),
            number: shape.and_then(|shape| shape.number("sensitivity")) == Some(SENSITIVITY_NUMBER),
            impact: match shape.and_then(|shape| shape.number("impact")) {
                Some(IMPACT_NONE) => Impact::None,
                Some(IMPACT_INVALIDATES) => Impact::Invalidates,
                _ => Impact::Reconsider,
            },
            discriminator: shape.is_some_and(|shape| shape.flag("discriminator")),
            sensitive: shape.and_then(|shape| shape.number("sensitivity")).unwrap_or_default() != 0,
            emit_empty: shape.is_some_and(|shape| shape.flag("emit_empty")),
            each_alone: shape.is_some_and(|shape| shape.flag("each_alone")),
            form_message: text("form_message"),
            input_only: behaviors.contains(&INPUT_ONLY),
            output_only: behaviors.contains(&OUTPUT_ONLY),
            descriptor: descriptor.clone(),
            r#type,
            arity,
            slot: 0,
        })
    }

    fn behaviors(&self, options: &DynamicMessage) -> Vec<i32> {
        let Some(extension) = self.pool.get_extension_by_name("google.api.field_behavior") else {
            return Vec::new();
        };
        let found = options.get_extension(&extension);
        found.as_list().unwrap_or_default().iter().filter_map(Value::as_enum_number).collect()
    }

    fn type_and_arity(&self, descriptor: &FieldDescriptor) -> Result<(Type, Arity)> {
        if descriptor.is_map() {
            let Kind::Message(entry) = descriptor.kind() else { bail!("a map is a list of entries") };
            ensure!(
                matches!(entry.map_entry_key_field().kind(), Kind::String),
                "{}: the keys of a JSON object are texts",
                descriptor.full_name()
            );
            return Ok((self.r#type(&entry.map_entry_value_field(), descriptor), Arity::Map));
        }
        let arity = match descriptor.cardinality() {
            Cardinality::Repeated => Arity::List,
            _ if descriptor.supports_presence() => Arity::Optional,
            _ => Arity::Implicit,
        };
        Ok((self.r#type(descriptor, descriptor), arity))
    }

    fn r#type(&self, value: &FieldDescriptor, owner: &FieldDescriptor) -> Type {
        let from = owner.parent_file();
        let from = from.package_name();
        match value.kind() {
            Kind::Bool => Type::Bool,
            Kind::String => Type::String,
            Kind::Bytes => Type::Bytes,
            Kind::Double => Type::Number("f64"),
            Kind::Float => Type::Number("f32"),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Type::Number("i32"),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Type::Number("i64"),
            Kind::Uint32 | Kind::Fixed32 => Type::Number("u32"),
            Kind::Uint64 | Kind::Fixed64 => Type::Number("u64"),
            Kind::Enum(found) => Type::Enum(self.type_path(found.full_name(), found.package_name(), from)),
            Kind::Message(found) => {
                let path = self.message_path(&found, from);
                Type::Message(found, path)
            }
        }
    }

    /// The values of an enum, the unspecified one left out.
    pub(crate) fn enum_values(&self, descriptor: &EnumDescriptor) -> Result<Vec<EnumValue>> {
        let prefix = format!("{}_", descriptor.name().to_shouty_snake_case());
        let mut values = Vec::new();
        let mut declared: Vec<_> = descriptor.values().filter(|value| value.number() != 0).collect();
        declared.sort_by_key(|value| value.path().last().copied());
        for value in declared {
            let options = value.options();
            let shape = self.extension(&options, "kira.api.v1.value");
            let text = |name: &str| shape.as_ref().and_then(|shape| shape.string(name));
            let short = value.name().strip_prefix(&prefix).unwrap_or(value.name());
            values.push(EnumValue {
                number: value.number(),
                json: text("json_name").unwrap_or_else(|| short.to_lowercase()),
                category: text("category").unwrap_or_default(),
                reason: self.extension(&options, "kira.api.v1.reason"),
            });
        }
        let mut names: Vec<&str> = values.iter().map(|value| value.json.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        ensure!(names.len() == values.len(), "{}: two values have one JSON name", descriptor.full_name());
        Ok(values)
    }
}

/// Adds a message and all that it consists of.
fn reach(message: &MessageDescriptor, found: &mut BTreeSet<String>) {
    if !found.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, found);
        }
    }
}

/// Of kira.api.v1.Sensitivity.
const SENSITIVITY_NUMBER: u64 = 2;

// Of kira.api.v1.Impact.
const IMPACT_NONE: u64 = 1;
const IMPACT_INVALIDATES: u64 = 3;

// Of google.api.FieldBehavior.
const OUTPUT_ONLY: i32 = 3;
const INPUT_ONLY: i32 = 4;
