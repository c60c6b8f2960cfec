//! Where settings come from: a TOML file, and over it the environment. Names are checked here, values are not.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::problem::{Problem, nearest};
use super::table::{CONFIG_FILE_ENV, SETTINGS, Setting};

/// The text of one setting and the key that gave it.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// The key as the operator wrote it.
    pub(super) key: String,
    pub(super) text: String,
}

/// Everything that was set, by TOML path.
#[derive(Debug, Default)]
pub(super) struct Source {
    pub(super) values: BTreeMap<&'static str, Given>,
    /// The `[[products]]` tables of the file, not interpreted yet.
    pub(super) products: Option<toml::Value>,
    pub(super) problems: Vec<Problem>,
}

/// A setting's own name, or the `_FILE` variant of a secret.
#[derive(Clone, Copy)]
enum Form {
    Value,
    File,
}

impl Source {
    /// Reads `file` (if any) and then `environment`, which wins.
    pub(super) fn read(file: Option<&Path>, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut source = Self::default();
        if let Some(path) = file {
            source.read_file(path);
        }
        let mut from_environment = Self::default();
        for (name, value) in environment {
            if let Some(name) = name.to_str().filter(|name| name.starts_with("KIRA_") && *name != CONFIG_FILE_ENV) {
                from_environment.read_variable(name, value.to_str());
            }
        }
        source.values.append(&mut from_environment.values);
        source.problems.append(&mut from_environment.problems);
        source
    }

    fn read_file(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(Problem::new(shown, format!("cannot be read: {error}"))),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.read_table("", table),
            // The parser's own text quotes the line, which may hold a secret; its message and place are enough.
            Err(error) => {
                let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
                let problem = format!("is not valid TOML near line {line}: {}", error.message());
                self.problems.push(Problem::new(shown, problem));
            }
        }
    }

    fn read_table(&mut self, prefix: &str, table: toml::Table) {
        for (key, value) in table {
            let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
            match value {
                value if path == "products" => self.products = Some(value),
                toml::Value::Table(inner) if is_section(&path) => self.read_table(&path, inner),
                value => self.read_file_value(path, &value),
            }
        }
    }

    fn read_file_value(&mut self, path: String, value: &toml::Value) {
        let Some((setting, form)) = find(&path, |setting| setting.path, "_file") else {
            let known = SETTINGS.iter().map(|setting| setting.path).chain(["products"]);
            let hint = hint(nearest(&path, known));
            return self.problems.push(Problem::new(path, format!("is not a setting{hint}")));
        };
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            _ => return self.problems.push(Problem::new(path, "must be one text, whole number or truth value")),
        };
        self.give(setting, form, path, text);
    }

    fn read_variable(&mut self, name: &str, value: Option<&str>) {
        if let Some((setting, form)) = find(name, |setting| setting.env, "_FILE") {
            match value {
                Some(value) => self.give(setting, form, name.to_owned(), value.to_owned()),
                None => self.problems.push(Problem::new(name, "is not UTF-8")),
            }
        } else if !name.starts_with("KIRA_TEST_") && !is_service_link(name, value.unwrap_or_default()) {
            let hint = hint(nearest(name, SETTINGS.iter().map(|setting| setting.env).chain([CONFIG_FILE_ENV])));
            self.problems.push(Problem::new(name, format!("is not a setting{hint}")));
        }
    }

    /// Records the setting; an empty text counts as not set, because templates of deployments leave such behind.
    fn give(&mut self, setting: &'static Setting, form: Form, key: String, text: String) {
        let text = text.trim().to_owned();
        if text.is_empty() {
            return;
        }
        let text = match form {
            Form::Value => text,
            Form::File => match std::fs::read_to_string(&text) {
                Ok(content) if content.trim().is_empty() => {
                    return self.problems.push(Problem::new(key, "names an empty file"));
                }
                Ok(content) => content.trim().to_owned(),
                Err(error) => {
                    return self.problems.push(Problem::new(key, format!("names a file that cannot be read: {error}")));
                }
            },
        };
        if let Some(other) = self.values.get(setting.path) {
            let problem = format!("is given together with {}; give one of them", other.key);
            return self.problems.push(Problem::new(key, problem));
        }
        self.values.insert(setting.path, Given { key, text });
    }
}

/// The setting that `name` names, by itself or, for a secret, with the `_FILE` suffix.
fn find(name: &str, name_of: fn(&Setting) -> &'static str, file_suffix: &str) -> Option<(&'static Setting, Form)> {
    let named = |name: &str| SETTINGS.iter().find(|setting| name_of(setting) == name);
    named(name).map(|setting| (setting, Form::Value)).or_else(|| {
        let twin = named(name.strip_suffix(file_suffix)?)?;
        twin.secret.then_some((twin, Form::File))
    })
}

fn is_section(path: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean {name}?"))
}

/// Whether Kubernetes put the variable there because a Service of the namespace is called `kira` or `kira-…`:
/// `KIRA_USERS_SERVICE_HOST`, `KIRA_USERS_SERVICE_PORT[_HTTP]`, `KIRA_USERS_PORT[_8080_TCP[_ADDR|_PORT|_PROTO]]`.
fn is_service_link(name: &str, value: &str) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    if name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") || name.contains("_SERVICE_PORT_") {
        return true;
    }
    if name.ends_with("_PORT") && PROTOCOLS.iter().any(|it| value.starts_with(&format!("{}://", it.to_lowercase()))) {
        return true;
    }
    let Some((_, port)) = name.split_once("_PORT_") else { return false };
    let mut parts = port.split('_');
    parts.next().is_some_and(|number| number.parse::<u16>().is_ok())
        && parts.next().is_some_and(|protocol| PROTOCOLS.contains(&protocol))
        && parts.next().is_none_or(|what| ["ADDR", "PORT", "PROTO"].contains(&what))
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_service_link;

    #[test]
    fn the_links_of_a_kubernetes_service_are_known() {
        for (name, value) in [
            ("KIRA_USERS_SERVICE_HOST", "10.0.0.1"),
            ("KIRA_USERS_SERVICE_PORT", "8080"),
            ("KIRA_USERS_SERVICE_PORT_HTTP", "8080"),
            ("KIRA_USERS_PORT", "tcp://10.0.0.1:8080"),
            ("KIRA_PORT", "tcp://10.0.0.1:8080"),
            ("KIRA_USERS_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("KIRA_USERS_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("KIRA_USERS_PORT_8080_TCP_PORT", "8080"),
            ("KIRA_USERS_PORT_8080_TCP_PROTO", "tcp"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
    }

    #[test]
    fn a_mistaken_setting_is_no_service_link() {
        for (name, value) in [("KIRA_HTTP_PORT", "8080"), ("KIRA_PORT_HTTP", "8080"), ("KIRA_PORT_80_FTP", "x")] {
            assert!(!is_service_link(name, value), "{name}");
        }
    }
}
