//! Which module may use which: dependencies never point upwards.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module with the modules of this crate that it may use. `app` may use all; only `cli` may use `app`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("env", &[]),
    ("archive", &["env", "store", "vault"]),
    ("auth", &["env", "config", "store", "vault"]),
    (
        "cli",
        &[
            "env",
            "app",
            "archive",
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
    // The master keys are validated with all other settings.
    ("config", &["vault"]),
    ("contract", &[]),
    ("current_client", &[]),
    ("domain", &[]),
    ("extra_cost", &[]),
    ("health", &["store"]),
    (
        "jobs",
        &[
            "env",
            "auth",
            "health",
            "server",
            "service",
            "sink",
            "store",
            "telemetry",
            "vault",
            "verification",
            "webhook",
        ],
    ),
    ("per_client_permits", &[]),
    ("profile", &["env", "contract", "domain"]),
    ("server", &["env", "auth", "config", "current_client", "extra_cost", "per_client_permits", "telemetry"]),
    (
        "service",
        &[
            "env",
            "auth",
            "contract",
            "domain",
            "extra_cost",
            "per_client_permits",
            "profile",
            "signing",
            "store",
            "telemetry",
            "vault",
            "verification",
            "webhook",
        ],
    ),
    ("signing", &[]),
    ("sink", &["env", "config", "domain", "store", "telemetry"]),
    ("store", &["env", "current_client", "domain", "telemetry"]),
    ("telemetry", &["config"]),
    ("vault", &["env"]),
    ("webhook", &["env", "config", "domain", "profile", "signing", "store", "telemetry", "vault"]),
    ("verification", &["env", "contract", "domain", "profile", "signing", "store", "telemetry", "vault"]),
];

/// The modules of `server` that are below the middleware, with the modules of `server` that they may use.
const SERVER_MAY_USE: &[(&str, &[&str])] = &[
    ("admission", &["connection", "context", "message", "protocol"]),
    ("body", &["context", "message"]),
    ("connection", &["admission", "body", "context", "message"]),
    ("message", &[]),
    ("tls", &[]),
];

/// The crates that only `store` may use.
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

/// The code of a module without the lines that are comments.
fn code(module: &str) -> String {
    let texts = sources(module).into_iter().map(|path| fs::read_to_string(path).expect("a source file"));
    let lines = |text: String| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).map(str::to_owned);
        code.collect::<Vec<_>>()
    };
    texts.flat_map(lines).collect::<Vec<_>>().join("\n")
}

/// The names that follow `prefix` in `code`: in imports, groups of imports (`crate::{a::B, c}`) and full paths.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(members(group).into_iter().map(first_name)),
            None => {
                names.insert(first_name(rest));
            }
        }
    }
    names
}

/// The members of a group of imports, whose opening brace is stripped.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Checks each module against its list. `prefix` is the path that the names follow, `folder` the folder of the modules.
fn check(rules: &[(&str, &[&str])], folder: &str, prefix: &str) {
    for (module, allowed) in rules {
        let mut used = named_after(&code(&format!("{folder}{module}")), prefix);
        used.retain(|name| name != module && !name.is_empty());
        let forbidden: Vec<_> = used.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(forbidden.is_empty(), "{folder}{module} may not use {forbidden:?}");
    }
}

#[test]
fn every_module_uses_only_what_is_below_it() {
    check(MAY_USE, "", "crate::");
    check(SERVER_MAY_USE, "server/", "crate::server::");
}

#[test]
fn groups_of_imports_and_full_paths_are_seen() {
    let code = "use crate::{a::B, c::{D, e::F},\n    g};\nfn f() -> crate::h::I { crate::j::k() }";
    let expected = ["a", "c", "g", "h", "j"].map(str::to_owned);
    assert_eq!(named_after(code, "crate::"), BTreeSet::from(expected));
}

#[test]
fn only_the_store_uses_the_database_crates() {
    let others = MAY_USE.iter().map(|(module, _)| *module).chain(["app"]).filter(|module| *module != "store");
    for module in others {
        let code = code(module);
        let used = |name: &str| {
            code.match_indices(&format!("{name}::")).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
            })
        };
        let known: Vec<_> = DATABASE.iter().filter(|name| used(name)).collect();
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
