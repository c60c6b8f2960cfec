//! Build-time generator: a contract in `.proto` files goes in, one Rust file comes out.
//!
//! The file holds the messages (prost), the gRPC services (tonic-build), and, from the vocabulary of
//! `kira/api/v1/options.proto`, `google.api.http` and `buf.validate`: the JSON codec of the documented shapes, the
//! validators, the REST routes, and `Debug` implementations that show no personal value. The run-time half is the crate
//! `kira-gateway`. No `protoc` is needed: protox reads the files.

mod bounded;
mod change;
mod check;
mod client;
mod debug;
mod elements;
mod fields;
mod json;
mod model;
mod names;
mod numbers;
mod openapi;
mod options;
mod order;
mod reference;
mod rules;
mod schema;
mod service;
mod supported;
mod text;
mod well_known;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use proc_macro2::TokenStream;
use prost_build::Module;
use prost_reflect::DescriptorPool;
use quote::quote;

pub use crate::openapi::OpenApi;
pub use crate::reference::Reference;
use crate::schema::Schema;

/// What to generate, and where to. See the crate's documentation for an overview.
#[derive(Debug)]
pub struct Generator {
    root: PathBuf,
    includes: Vec<PathBuf>,
    files: Vec<PathBuf>,
    packages: Vec<String>,
    internal: Vec<String>,
    rules: Option<String>,
    extern_paths: Vec<(String, String)>,
    messages_only: bool,
    client_only: bool,
}

impl Generator {
    /// A generator for the `.proto` files below `root`, the folder that their imports start at.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            includes: Vec::new(),
            files: Vec::new(),
            packages: Vec::new(),
            internal: Vec::new(),
            rules: None,
            extern_paths: Vec::new(),
            messages_only: false,
            client_only: false,
        }
    }

    /// Another folder that imports may start at.
    #[must_use]
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.includes.push(folder.into());
        self
    }

    /// Adds every file of a package; the package's folder is its name with slashes.
    #[must_use]
    pub fn package(mut self, package: &str) -> Self {
        self.packages.push(package.to_owned());
        self
    }

    /// Adds every file of a package that is no part of the contract: generated like it, but not published by reflection.
    #[must_use]
    pub fn internal_package(mut self, package: &str) -> Self {
        self.internal.push(package.to_owned());
        self.package(package)
    }

    /// Adds single files of a package, by their paths below the root.
    #[must_use]
    pub fn files(mut self, package: &str, files: &[&str]) -> Self {
        self.packages.push(package.to_owned());
        self.files.extend(files.iter().map(PathBuf::from));
        self
    }

    /// The Rust module with the functions that implement CEL rules, by the name after the dot of the rule's id.
    #[must_use]
    pub fn rules(mut self, module: &str) -> Self {
        self.rules = Some(module.to_owned());
        self
    }

    /// Types of the proto path `proto` (such as ".google.rpc") live in the Rust module `rust`.
    #[must_use]
    pub fn extern_path(mut self, proto: &str, rust: &str) -> Self {
        self.extern_paths.push((proto.to_owned(), rust.to_owned()));
        self
    }

    /// Leaves out the JSON codec and the validators: for messages that only travel inside others.
    #[must_use]
    pub fn messages_only(mut self) -> Self {
        self.messages_only = true;
        self
    }

    /// Leaves out all that a server needs: messages, gRPC clients, and in each package the list `CALLS` of what a client has
    /// to know of its calls, of the type `crate::calls::Call`.
    #[must_use]
    pub fn client_only(mut self) -> Self {
        self.client_only = true;
        self
    }

    /// Writes `name.rs` and `name.descriptors.bin` (the encoded descriptor set without internal packages, options kept, for
    /// gRPC reflection) to the build script's output folder, and names the files after whose change cargo runs it again.
    ///
    /// # Errors
    /// What is wrong with the `.proto` files or their options, naming the element.
    #[expect(clippy::print_stdout, reason = "how a build script speaks to cargo")]
    pub fn write(self, name: &str) -> Result<()> {
        let folders: Vec<&PathBuf> = std::iter::once(&self.root).chain(&self.includes).collect();
        for folder in &folders {
            println!("cargo:rerun-if-changed={}", folder.display());
        }
        let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is set in build scripts only")?);
        let files = self.all_files()?;
        // Reflection needs no comments, and a running service would keep them in memory.
        let mut bare = protox::Compiler::new(&folders)?;
        bare.include_imports(true).include_source_info(false).open_files(self.published(&files))?;
        std::fs::write(out.join(format!("{name}.descriptors.bin")), bare.encode_file_descriptor_set())?;
        let mut compiler = protox::Compiler::new(&folders)?;
        compiler.include_imports(true).include_source_info(true).open_files(&files)?;
        let code = self.generate(compiler.descriptor_pool())?;
        std::fs::write(out.join(format!("{name}.rs")), code)?;
        Ok(())
    }

    /// The tables of the API reference, from the same descriptors as the code.
    ///
    /// # Errors
    /// What is wrong with the `.proto` files or their options, naming the element.
    pub fn reference(self) -> Result<Reference> {
        let folders: Vec<&PathBuf> = std::iter::once(&self.root).chain(&self.includes).collect();
        let mut compiler = protox::Compiler::new(&folders)?;
        compiler.include_imports(true).include_source_info(true).open_files(self.all_files()?)?;
        let schema = Schema::new(compiler.descriptor_pool(), &self.packages, &self.extern_paths, self.rules)?;
        reference::reference(&schema, &self.packages)
    }

    fn all_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = self.files.clone();
        for package in &self.packages {
            let folder = self.root.join(package.replace('.', "/"));
            if self.files.iter().any(|file| self.root.join(file).starts_with(&folder)) {
                continue;
            }
            let entries = std::fs::read_dir(&folder).with_context(|| format!("no folder for package {package}"))?;
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "proto") {
                    files.push(path.strip_prefix(&self.root)?.to_owned());
                }
            }
        }
        files.sort();
        ensure!(!files.is_empty(), "no .proto files to compile");
        Ok(files)
    }

    /// Those of the files that are not of an internal package.
    fn published<'a>(&self, files: &'a [PathBuf]) -> Vec<&'a PathBuf> {
        let folders: Vec<_> = self.internal.iter().map(|package| package.replace('.', "/")).collect();
        files.iter().filter(|file| !folders.iter().any(|folder| file.starts_with(folder))).collect()
    }

    fn generate(&self, pool: DescriptorPool) -> Result<String> {
        let schema = Schema::new(pool, &self.packages, &self.extern_paths, self.rules.clone())?;
        self.packages.iter().try_for_each(|package| supported::check(&schema, package))?;
        let mut modules = self.prost_messages(&schema)?;
        for package in &self.packages {
            let mut code = TokenStream::new();
            if self.client_only {
                code.extend(client::package(&schema, package)?);
                modules.entry(Module::from_protobuf_package_name(package)).or_default().push_str(&print(code)?);
                continue;
            }
            for message in schema.messages(package) {
                code.extend(debug::message(&schema, &message)?);
                code.extend(numbers::message(&schema, &message)?);
                if !self.messages_only {
                    code.extend(json::message(&schema, &message)?);
                    code.extend(check::message(&schema, &message)?);
                    code.extend(order::message(&schema, &message)?);
                    code.extend(bounded::message(&schema, &message)?);
                    code.extend(fields::message(&schema, &message)?);
                    code.extend(change::message(&schema, &message)?);
                }
            }
            code.extend(elements::package(&schema, package)?);
            for r#enum in schema.enums(package) {
                if !self.messages_only {
                    code.extend(json::r#enum(&schema, &r#enum)?);
                }
                code.extend(service::reasons(&schema, &r#enum)?);
            }
            for service in schema.services(package) {
                code.extend(service::service(&schema, &service)?);
            }
            modules.entry(Module::from_protobuf_package_name(package)).or_default().push_str(&print(code)?);
        }
        Ok(nest(&modules))
    }

    fn prost_messages(&self, schema: &Schema) -> Result<BTreeMap<Module, String>> {
        let requests = schema
            .files()
            .map(|file| (Module::from_protobuf_package_name(file.package_name()), file.file_descriptor_proto().clone()))
            .collect();
        let mut config = prost_build::Config::new();
        // Binary content is a slice of the request's buffer, not a copy. Maps are ordered, so that encoding is
        // deterministic: the idempotency fingerprint is a hash of it.
        config.bytes(["."]).btree_map(["."]).skip_debug(["."]);
        // Comments that are not ours: rustdoc would take their indented examples for Rust.
        config.disable_comments([if self.messages_only { "." } else { ".google" }]);
        for (proto, rust) in &self.extern_paths {
            config.extern_path(proto, rust);
        }
        Ok(config.generate(requests)?.into_iter().collect())
    }
}

fn print(code: TokenStream) -> Result<String> {
    let file = syn::parse2(code).context("the generated code does not parse")?;
    Ok(prettyplease::unparse(&file))
}

/// One file of nested modules, so that the paths that prost writes between packages resolve.
fn nest(modules: &BTreeMap<Module, String>) -> String {
    #[derive(Default)]
    struct Node<'a> {
        code: Vec<&'a str>,
        children: BTreeMap<String, Node<'a>>,
    }
    fn print(node: &Node<'_>, out: &mut String) {
        for code in &node.code {
            out.push_str(code);
        }
        for (name, child) in &node.children {
            out.push_str(&format!("pub mod {name} {{\n"));
            print(child, out);
            out.push_str("}\n");
        }
    }
    let mut root = Node::default();
    for (module, code) in modules {
        let mut node = &mut root;
        for part in module.parts() {
            node = node.children.entry(part.to_string()).or_default();
        }
        node.code.push(code);
    }
    let mut out = String::new();
    print(&root, &mut out);
    out
}

/// The path of the run-time crate in generated code.
fn runtime() -> TokenStream {
    quote!(::kira_gateway)
}
