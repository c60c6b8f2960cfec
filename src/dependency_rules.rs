//! Who may use whom: a step never calls back up.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module with the modules of this crate that it may use. `app` may use all; nothing but `cli` may use `app`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("ambient", &[]),
    ("auth", &["ambient", "config", "store", "vault"]),
    (
        "cli",
        &[
            "ambient",
            "app",
            "auth",
            "config",
            "contract",
            "domain",
            "service",
            "signing",
            "store",
            "telemetry",
            "vault",
            "webhook",
        ],
    ),
    ("config", &[]),
    ("contract", &[]),
    ("domain", &[]),
    ("profile", &["ambient", "contract", "domain"]),
    ("server", &["ambient", "auth", "config", "shares", "store", "telemetry"]),
    (
        "service",
        &[
            "ambient",
            "auth",
            "contract",
            "domain",
            "profile",
            "shares",
            "signing",
            "store",
            "telemetry",
            "vault",
            "verification",
            "webhook",
        ],
    ),
    ("shares", &[]),
    ("signing", &[]),
    ("store", &["ambient", "domain", "telemetry"]),
    ("telemetry", &["config"]),
    ("vault", &["ambient"]),
    ("webhook", &["ambient", "config", "domain", "profile", "signing", "store", "telemetry", "vault"]),
    ("verification", &["ambient", "contract", "domain", "profile", "signing", "store", "telemetry", "vault"]),
];

/// The crates that only `store` may know.
const DATABASE: &[&str] = &["sea_orm", "sea_orm_migration", "entity", "migration"];

fn sources(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![root.join(format!("{module}.rs"))];
    let mut folders = vec![root.join(module)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs") && path.is_file());
    found
}

/// The names that follow `prefix` in the code of a module, comments aside.
fn named_after(module: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources(module) {
        let text = fs::read_to_string(&path).expect("a source file");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices(prefix) {
                let rest = &line[at + prefix.len()..];
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                names.insert(name);
            }
        }
    }
    names
}

#[test]
fn every_module_uses_only_what_lies_below_it() {
    for (module, allowed) in MAY_USE {
        let mut used = named_after(module, "crate::");
        used.retain(|name| name != module && !name.is_empty());
        let forbidden: Vec<_> = used.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(forbidden.is_empty(), "{module} may not use {forbidden:?}");
    }
}

#[test]
fn only_the_store_knows_the_database() {
    let others = MAY_USE.iter().map(|(module, _)| *module).chain(["app"]).filter(|module| *module != "store");
    for module in others {
        let used: BTreeSet<_> = named_after(module, "use ").into_iter().collect();
        let known: Vec<_> = DATABASE.iter().filter(|name| used.contains(**name)).collect();
        assert!(known.is_empty(), "{module} may not use {known:?}");
    }
}

#[test]
fn every_module_has_its_rule() {
    let lib = include_str!("lib.rs");
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in declared.filter(|module| *module != "app") {
        assert!(MAY_USE.iter().any(|(known, _)| *known == module), "{module} has no rule");
    }
}
