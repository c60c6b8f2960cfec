//! From a method and a path to a route: a trie over segments.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use percent_encoding::percent_decode_str;

use crate::template::{Segment, Template, TemplateError};

/// Finds routes; `T` is what is found.
#[derive(Debug)]
pub struct Router<T> {
    root: Node,
    routes: Vec<Entry<T>>,
    verbs: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry<T> {
    method: Method,
    template: Template,
    name: String,
    value: T,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    one: Option<Box<Node>>,
    rest: Option<Box<Node>>,
    /// The routes that end here.
    ends: Vec<usize>,
}

/// A route that cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The template does not parse.
    #[error("{name}: the path template `{template}` is wrong at {error}")]
    Template {
        /// The call that it is for.
        name: String,
        /// The text.
        template: String,
        /// Where and why.
        error: TemplateError,
    },
    /// Two routes answer the same requests.
    #[error("{first} and {second} have the same route: {method} {template}")]
    Duplicate {
        /// The call that has it.
        first: String,
        /// The call that wants it as well.
        second: String,
        /// The HTTP method.
        method: Method,
        /// The later one's template.
        template: String,
    },
}

/// What a router says to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum RouteMatch<'a, T> {
    /// The route, and the decoded values of its variables from left to right.
    Route(&'a T, Vec<String>),
    /// The path has routes, but for these methods only.
    OtherMethods(Vec<&'a str>),
    /// No route has this path.
    Nothing,
    /// An escape is malformed, or the decoded text is not UTF-8.
    Malformed,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { root: Node::default(), routes: Vec::new(), verbs: BTreeSet::new() }
    }
}

impl<T> Router<T> {
    /// Adds a route for the call `name`.
    ///
    /// # Errors
    /// A template that does not parse, or a route that is there already.
    pub fn add(&mut self, method: Method, template: &str, name: &str, value: T) -> Result<(), RouteError> {
        let parsed = Template::parse(template).map_err(|error| RouteError::Template {
            name: name.to_owned(),
            template: template.to_owned(),
            error,
        })?;
        let node = parsed.segments.iter().fold(&mut self.root, |node, segment| match segment {
            Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
            Segment::One => node.one.get_or_insert_default(),
            Segment::Rest => node.rest.get_or_insert_default(),
        });
        for earlier in node.ends.iter().map(|end| &self.routes[*end]) {
            if earlier.method == method && earlier.template.verb == parsed.verb {
                return Err(RouteError::Duplicate {
                    first: earlier.name.clone(),
                    second: name.to_owned(),
                    method,
                    template: template.to_owned(),
                });
            }
        }
        node.ends.push(self.routes.len());
        self.verbs.extend(parsed.verb.clone());
        self.routes.push(Entry { method, template: parsed, name: name.to_owned(), value });
        Ok(())
    }

    /// The route of a request; HEAD is served as GET.
    ///
    /// Of the routes with this path and method, a literal segment beats `*`, which beats `**`, from left to right. A path
    /// that ends in a verb of its routes has those routes alone, for every method: it is not the resource whose id ends
    /// like that, whose colon a caller can write as `%3A`.
    pub fn find(&self, method: &Method, path: &str) -> RouteMatch<'_, T> {
        let Some(path) = path.strip_prefix('/') else { return RouteMatch::Nothing };
        let raw: Vec<&str> = path.split('/').collect();
        let Some(decoded) = raw.iter().map(|segment| decode(segment)).collect::<Option<Vec<_>>>() else {
            return RouteMatch::Malformed;
        };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let mut search = Search { routes: &self.routes, method, verb: None, others: BTreeSet::new() };
        if let Some((last, verb)) = raw.last().and_then(|last| last.rsplit_once(':'))
            && self.verbs.contains(verb)
            && let Some(last_decoded) = decode(last)
        {
            let (mut raw, mut decoded) = (raw.clone(), decoded.clone());
            let end = raw.len() - 1;
            (raw[end], decoded[end]) = (last, last_decoded);
            search.verb = Some(verb);
            if let Some(route) = search.descend(&self.root, &decoded) {
                return route.found(&raw, &decoded);
            }
            if !search.others.is_empty() {
                return search.other_methods();
            }
            search.verb = None;
        }
        if let Some(route) = search.descend(&self.root, &decoded) {
            return route.found(&raw, &decoded);
        }
        search.other_methods()
    }
}

impl<T> Entry<T> {
    fn found(&self, raw: &[&str], decoded: &[Cow<'_, str>]) -> RouteMatch<'_, T> {
        let value = |variable: &crate::template::Variable| {
            if !variable.is_multi(&self.template) {
                return decoded[variable.start].clone().into_owned();
            }
            let rest = self.template.segments[variable.end - 1] == Segment::Rest;
            let end = if rest { raw.len() } else { variable.end };
            raw[variable.start..end].iter().map(|segment| decode_but_slashes(segment)).collect::<Vec<_>>().join("/")
        };
        RouteMatch::Route(&self.value, self.template.variables.iter().map(value).collect())
    }
}

struct Search<'a, 'q, T> {
    routes: &'a [Entry<T>],
    method: &'q Method,
    verb: Option<&'q str>,
    /// The methods of the routes that differ by nothing else.
    others: BTreeSet<&'a str>,
}

impl<'a, T> Search<'a, '_, T> {
    fn descend(&mut self, node: &'a Node, segments: &[Cow<'_, str>]) -> Option<&'a Entry<T>> {
        let Some((first, others)) = segments.split_first() else {
            // `**` may match nothing.
            return self.end(node).or_else(|| node.rest.as_deref().and_then(|rest| self.end(rest)));
        };
        if first.is_empty() {
            return None;
        }
        let literal = node.literals.get(first.as_ref()).and_then(|child| self.descend(child, others));
        literal.or_else(|| node.one.as_deref().and_then(|child| self.descend(child, others))).or_else(|| {
            let rest = node.rest.as_deref().filter(|_| others.iter().all(|segment| !segment.is_empty()))?;
            self.end(rest)
        })
    }

    /// The answer where no route has the method.
    fn other_methods(mut self) -> RouteMatch<'a, T> {
        if self.others.contains(Method::GET.as_str()) {
            self.others.insert(Method::HEAD.as_str());
        }
        if self.others.is_empty() {
            RouteMatch::Nothing
        } else {
            RouteMatch::OtherMethods(self.others.into_iter().collect())
        }
    }

    fn end(&mut self, node: &'a Node) -> Option<&'a Entry<T>> {
        let mut found = None;
        for entry in node.ends.iter().map(|end| &self.routes[*end]) {
            if entry.template.verb.as_deref() == self.verb {
                if entry.method == *self.method {
                    found = Some(entry);
                } else {
                    self.others.insert(entry.method.as_str());
                }
            }
        }
        found
    }
}

fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if well_formed(segment) { percent_decode_str(segment).decode_utf8().ok() } else { None }
}

/// Decodes all but `%2F`: in a value of several segments an escaped slash is no separator.
///
/// The segment is known to be well formed.
fn decode_but_slashes(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some(at) = rest.as_bytes().windows(3).position(|escape| escape.eq_ignore_ascii_case(b"%2F")) {
        out.push_str(&percent_decode_str(&rest[..at]).decode_utf8_lossy());
        out.push_str(&rest[at..at + 3]);
        rest = &rest[at + 3..];
    }
    out.push_str(&percent_decode_str(rest).decode_utf8_lossy());
    out
}

/// Whether every `%` has its two digits.
pub(crate) fn well_formed(segment: &str) -> bool {
    let mut escapes = segment.split('%').skip(1);
    escapes.all(|escape| escape.len() >= 2 && escape.bytes().take(2).all(|digit| digit.is_ascii_hexdigit()))
}
