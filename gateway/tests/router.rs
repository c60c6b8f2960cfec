//! The router, by the cases that other bridges got wrong: slashes, escapes, colons, precedence, 405.

use http::Method;
use kira_gateway::router::{RouteMatch, Router};

/// Routes by name: the value found is the template.
fn router(routes: &[(&str, &'static str)]) -> Router<&'static str> {
    let mut router = Router::default();
    for (method, template) in routes {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        router.add(method, template, template, *template).expect("a route");
    }
    router
}

fn get(router: &Router<&'static str>, path: &str) -> String {
    match router.find(&Method::GET, path) {
        RouteMatch::Route(template, values) => format!("{template} {values:?}"),
        RouteMatch::OtherMethods(methods) => format!("405 {}", methods.join(", ")),
        RouteMatch::Nothing => "404".to_owned(),
        RouteMatch::Malformed => "400".to_owned(),
    }
}

#[track_caller]
fn table(routes: &[&'static str], cases: &[(&str, &str)]) {
    let routes: Vec<_> = routes.iter().map(|template| ("GET", *template)).collect();
    let router = router(&routes);
    for (path, expected) in cases {
        assert_eq!(get(&router, path), *expected, "{path}");
    }
}

#[test]
fn a_literal_beats_one_segment_which_beats_the_rest() {
    table(
        &["/v1/{name=**}", "/v1/{id}", "/v1/me", "/v1/{id}/books", "/v1/me/{book}"],
        &[
            ("/v1/me", "/v1/me []"),
            ("/v1/you", r#"/v1/{id} ["you"]"#),
            ("/v1/you/books", r#"/v1/{id}/books ["you"]"#),
            // The literal leads to a route as well, so that it wins although `books` is a literal further right.
            ("/v1/me/books", r#"/v1/me/{book} ["books"]"#),
            ("/v1/you/books/1", r#"/v1/{name=**} ["you/books/1"]"#),
            ("/v1", r#"/v1/{name=**} [""]"#),
        ],
    );
}

#[test]
fn a_literal_that_leads_nowhere_is_given_up() {
    table(
        &["/v1/users/search/all", "/v1/users/{id}/books"],
        &[("/v1/users/search/books", r#"/v1/users/{id}/books ["search"]"#)],
    );
}

#[test]
fn a_slash_at_the_end_or_doubled_does_not_match() {
    table(
        &["/v1/users/{id}", "/v1/users", "/v1/files/{name=**}"],
        &[
            ("/v1/users/", "404"),
            ("/v1/users/1/", "404"),
            ("/v1//users", "404"),
            ("/v1/files/a/", "404"),
            ("/v1/files/a//b", "404"),
            ("/", "404"),
            ("", "404"),
            ("*", "404"),
        ],
    );
}

#[test]
fn escapes_are_decoded_after_matching() {
    table(
        &["/v1/users/{id}", "/v1/users/{id}/books", "/v1/{name=files/**}", "/v1/{pair=pairs/*/*}"],
        &[
            ("/v1/users/a%2Fbooks", r#"/v1/users/{id} ["a/books"]"#),
            ("/v1/users/a%2fb/books", r#"/v1/users/{id}/books ["a/b"]"#),
            ("/v1/users/%C3%A9%20%2B+", r#"/v1/users/{id} ["é ++"]"#),
            ("/v1/users/%252F", r#"/v1/users/{id} ["%2F"]"#),
            ("/v1/%75sers/1", r#"/v1/users/{id} ["1"]"#),
            // Of several segments an escaped slash stays escaped, or it could not be told from a separator.
            ("/v1/files/a%2Fb/c%20d%2f", r#"/v1/{name=files/**} ["files/a%2Fb/c d%2f"]"#),
            ("/v1/pairs/%41/%2F", r#"/v1/{pair=pairs/*/*} ["pairs/A/%2F"]"#),
        ],
    );
}

#[test]
fn malformed_escapes_are_refused() {
    table(
        &["/v1/users/{id}"],
        &[("/v1/users/%", "400"), ("/v1/users/%4", "400"), ("/v1/users/%zz", "400"), ("/v1/users/%FF", "400")],
    );
}

#[test]
fn a_colon_in_an_id_is_a_verb_only_where_a_route_has_that_verb() {
    table(
        &["/v1/users/{id}", "/v1/users/{id}:verify", "/v1/users:search", "/v1/{name=files/**}:read"],
        &[
            ("/v1/users/1:verify", r#"/v1/users/{id}:verify ["1"]"#),
            ("/v1/users/urn:user:1", r#"/v1/users/{id} ["urn:user:1"]"#),
            ("/v1/users/urn:user:1:verify", r#"/v1/users/{id}:verify ["urn:user:1"]"#),
            ("/v1/users/1%3Averify", r#"/v1/users/{id} ["1:verify"]"#),
            // `search` is a verb, but not of this path.
            ("/v1/users/1:search", r#"/v1/users/{id} ["1:search"]"#),
            ("/v1/users:search", "/v1/users:search []"),
            ("/v1/users:", "404"),
            ("/v1/users/:verify", r#"/v1/users/{id} [":verify"]"#),
            ("/v1/files/a/b:read", r#"/v1/{name=files/**}:read ["files/a/b"]"#),
            ("/v1/files/a:b/c", "404"),
        ],
    );
}

#[test]
fn a_known_path_with_another_method_names_its_methods() {
    let router = router(&[("GET", "/v1/users/{id}"), ("PUT", "/v1/users/{id}"), ("POST", "/v1/users")]);
    assert_eq!(router.find(&Method::DELETE, "/v1/users/1"), RouteMatch::OtherMethods(vec!["GET", "HEAD", "PUT"]));
    assert_eq!(get(&router, "/v1/users"), "405 POST");
    assert_eq!(get(&router, "/v1/nobody"), "404");
}

#[test]
fn a_path_with_a_verb_names_the_methods_of_that_verb_alone() {
    let router = router(&[
        ("GET", "/v1/users/{id}"),
        ("PATCH", "/v1/users/{id}"),
        ("POST", "/v1/users/{id}:verify"),
        ("GET", "/v1/{name=files/**}:read"),
        ("DELETE", "/v1/{name=files/**}"),
    ]);
    assert_eq!(get(&router, "/v1/users/1:verify"), "405 POST");
    assert_eq!(router.find(&Method::PATCH, "/v1/users/urn:1:verify"), RouteMatch::OtherMethods(vec!["POST"]));
    assert_eq!(router.find(&Method::POST, "/v1/files/a/b:read"), RouteMatch::OtherMethods(vec!["GET", "HEAD"]));
    // An escaped colon is no verb, and `read` is a verb, but not of this path.
    assert_eq!(get(&router, "/v1/users/1%3Averify"), r#"/v1/users/{id} ["1:verify"]"#);
    assert_eq!(get(&router, "/v1/users/1:read"), r#"/v1/users/{id} ["1:read"]"#);
    assert_eq!(router.find(&Method::PUT, "/v1/users/1:read"), RouteMatch::OtherMethods(vec!["GET", "HEAD", "PATCH"]));
}

#[test]
fn another_method_of_a_literal_does_not_hide_a_variable() {
    let router = router(&[("POST", "/v1/users/search"), ("GET", "/v1/users/{id}")]);
    assert_eq!(get(&router, "/v1/users/search"), r#"/v1/users/{id} ["search"]"#);
    assert_eq!(router.find(&Method::PUT, "/v1/users/search"), RouteMatch::OtherMethods(vec!["GET", "HEAD", "POST"]));
}

#[test]
fn head_is_served_as_get() {
    let router = router(&[("GET", "/v1/users")]);
    assert_eq!(router.find(&Method::HEAD, "/v1/users"), RouteMatch::Route(&"/v1/users", Vec::new()));
}

#[test]
fn a_custom_method_is_a_method() {
    let router = router(&[("PURGE", "/v1/users")]);
    let purge = Method::from_bytes(b"PURGE").expect("a method");
    assert_eq!(router.find(&purge, "/v1/users"), RouteMatch::Route(&"/v1/users", Vec::new()));
    assert_eq!(get(&router, "/v1/users"), "405 PURGE");
}

#[test]
fn a_route_added_twice_names_both_calls() {
    let mut router = Router::default();
    router.add(Method::GET, "/v1/users/{id}", "a.Users/Get", ()).expect("a route");
    router.add(Method::PUT, "/v1/users/{id}", "a.Users/Put", ()).expect("another method");
    router.add(Method::GET, "/v1/users/{id}:verify", "a.Users/Verify", ()).expect("another verb");
    let error = router.add(Method::GET, "/v1/users/{name=*}", "a.Users/Find", ()).expect_err("the same route");
    assert_eq!(error.to_string(), "a.Users/Get and a.Users/Find have the same route: GET /v1/users/{name=*}");
}

#[test]
fn a_template_that_does_not_parse_names_the_call_and_the_column() {
    let error = Router::default().add(Method::GET, "/v1/{id", "a.Users/Get", ()).expect_err("no template");
    assert_eq!(error.to_string(), "a.Users/Get: the path template `/v1/{id` is wrong at column 8: expected `}`");
}
