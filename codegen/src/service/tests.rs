//! What the generator says of HTTP rules that cannot work.

use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::Generator;

struct Source(String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "t.proto" { File::from_source(name, &self.0) } else { Err(protox::Error::file_not_found(name)) }
    }
}

/// The generated code, or the error, for a service `S` with these calls.
fn generate(calls: &str) -> Result<String, String> {
    let source = format!(
        r#"
        syntax = "proto3";
        package t;
        import "google/api/annotations.proto";
        import "google/api/field_behavior.proto";
        import "google/protobuf/any.proto";
        import "google/protobuf/api.proto";
        import "google/protobuf/empty.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/type.proto";
        import "google/rpc/status.proto";
        import "kira/api/v1/options.proto";
        service S {{ {calls} }}
        message Q {{
            string id = 1;
            Inner inner = 2;
            repeated string tags = 3;
            bytes raw = 4;
            oneof one {{ string chosen = 5; }}
            uint32 number = 6;
            string made = 7 [(google.api.field_behavior) = OUTPUT_ONLY];
            string head = 8 [(kira.api.v1.field).header = "x-head"];
        }}
        message Inner {{ string id = 1; Q outer = 2; }}
        message R {{ string id = 1; Inner inner = 2; repeated Inner list = 3; bool flag = 4; }}
        "#
    );
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source(source));
    resolver.add(IncludeFileResolver::new("../proto".into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("t.proto").expect("the test's proto compiles");
    let generator = Generator::new(".").files("t", &["t.proto"]);
    generator.generate(compiler.descriptor_pool()).map_err(|error| format!("{error:#}"))
}

fn refusal(call: &str) -> String {
    generate(call).expect_err(call)
}

fn rule(rule: &str) -> String {
    refusal(&format!("rpc C(Q) returns (R) {{ option (google.api.http) = {{ {rule} }}; }}"))
}

#[test]
fn a_rule_that_cannot_work_is_refused_with_its_call_and_its_reason() {
    for (text, expected) in [
        (r#"get: "/v1/{nothing}""#, "t.S.C: a variable of the path: t.Q has no field `nothing`"),
        (r#"get: "/v1/{inner.nothing}""#, "t.S.C: a variable of the path: t.Inner has no field `nothing`"),
        (r#"get: "/v1/{id""#, "t.S.C: the path template `/v1/{id`: column 8: expected `}`"),
        (r#"get: "/v1/{tags}""#, "t.S.C: `tags` of the path is no text, number, bool or enum"),
        (r#"get: "/v1/{raw}""#, "t.S.C: `raw` of the path is no text, number, bool or enum"),
        (r#"get: "/v1/{inner}""#, "t.S.C: `inner` of the path is no text, number, bool or enum"),
        (r#"get: "/v1/{number=**}""#, "t.S.C: `number` takes several segments, hence it must be a text"),
        (r#"get: "/v1/{made}""#, "t.S.C: `made` of the path is for the service to set"),
        (r#"get: "/v1/{head}""#, "t.S.C: a variable of the path: t.Q.head is a header"),
        (
            r#"get: "/v1/{chosen}""#,
            "t.S.C: a variable of the path: t.Q.chosen is a member of a oneof: a path cannot lead there",
        ),
        (r#"get: "/v1" body: "*""#, "t.S.C: GET has no body"),
        (r#"post: "/v1" body: "nothing""#, "t.S.C: `body`: t.Q has no field `nothing`"),
        (
            r#"post: "/v1" body: "id""#,
            "t.S.C: `body`: `id` is neither a single message nor bytes that are always there",
        ),
        (r#"get: "/v1" response_body: "flag""#, "t.S.C: `response_body`: `flag` is no message"),
        (r#"body: "*""#, "t.S.C: an HTTP rule without a pattern such as `get`"),
        (
            r#"get: "/v1/{id}" additional_bindings { get: "/v1/{inner.id}" }"#,
            "t.S.C: t.S.C has the same route: GET /v1/{inner.id}",
        ),
    ] {
        assert_eq!(rule(text), expected);
    }
}

#[test]
fn a_call_that_takes_a_stream_has_no_rule() {
    let found = refusal(r#"rpc C(stream Q) returns (R) { option (google.api.http) = { get: "/v1" }; }"#);
    assert_eq!(found, "t.S.C: a call that takes a stream cannot have an HTTP rule");
}

#[test]
fn an_upload_that_cannot_work_is_refused_with_its_reason() {
    let call = |call: &str, rule: &str, upload: &str| {
        refusal(&format!(
            r#"rpc C({call}) returns (R) {{
                option (google.api.http) = {{ {rule} }};
                option (kira.api.v1.method) = {{ upload: {{ {upload} }} }};
            }}"#
        ))
    };
    let (form, raw) = (r#"post: "/v1" body: "*""#, r#"post: "/v1" body: "raw""#);
    for (found, expected) in [
        (call("Q", form, r#"content: "raw""#), "t.S.C: `upload` is for calls that take a stream and have one answer"),
        (call("stream Q", form, r#"head: "inner""#), "`upload` without `content`"),
        (call("stream Q", form, r#"content: "id""#), "t.S.C: `upload`: `id` is not bytes that are always there"),
        (call("stream Q", form, r#"content: "raw" head: "tags""#), "t.S.C: `upload`: `tags` is no single message"),
        (
            call("stream Q", form, r#"content: "raw""#),
            "t.S.C: `upload`: the body is `*` for a form with a `head`, else the field `content`",
        ),
        (
            call("stream Q", raw, r#"content: "raw" head: "inner""#),
            "t.S.C: `upload`: the body is `*` for a form with a `head`, else the field `content`",
        ),
        (
            call("stream Q", raw, r#"content: "raw" media_type: "nothing""#),
            "`upload.media_type`: t.Q has no field `nothing`",
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_message_without_fields_has_no_body() {
    let call = r#"rpc C(google.protobuf.Empty) returns (R) { option (google.api.http) = { post: "/v1" body: "*" }; }"#;
    assert_eq!(refusal(call), "t.S.C: Empty has no body");
}

#[test]
fn two_calls_with_one_route_are_both_named() {
    let call =
        |name: &str| format!(r#"rpc {name}(Q) returns (R) {{ option (google.api.http) = {{ get: "/{{id}}" }}; }}"#);
    assert_eq!(refusal(&(call("A") + &call("B"))), "t.S.B: t.S.A has the same route: GET /{id}");
}

#[test]
fn a_location_is_made_of_fields_of_the_response() {
    let call = |location: &str| {
        refusal(&format!(
            r#"rpc C(Q) returns (R) {{
                option (google.api.http) = {{ get: "/v1" }};
                option (kira.api.v1.method).location = "{location}";
            }}"#
        ))
    };
    assert_eq!(call("/v1/{none}"), "t.S.C: the location `/v1/{none}`: t.R has no field `none`");
    assert_eq!(call("/v1/{flag}"), "t.S.C: the location's `flag` is no text and no number");
}

#[test]
fn a_status_of_a_success_is_one() {
    let call = "rpc C(Q) returns (R) { option (kira.api.v1.method).success_code = 404; }";
    assert_eq!(refusal(call), "t.S.C: `success_code` is no status of a success");
}

#[test]
fn a_message_within_itself_can_be_a_request() {
    let code = generate(r#"rpc C(Q) returns (R) { option (google.api.http) = { get: "/v1/{inner.id}" }; }"#);
    assert!(code.expect("code").contains("lists: &[\"tags\"]"));
}

fn field(field: &str) -> String {
    refusal(&format!(
        "rpc C(F) returns (R); }} message F {{ {field} }} enum E {{ NONE = 0; ONE = 1; }} service Other {{"
    ))
}

#[test]
fn a_type_without_a_json_is_refused_with_its_field_and_its_file() {
    for (text, expected) in [
        (
            "google.protobuf.Any one = 1;",
            "t.F.one (t.proto): google.protobuf.Any is not supported, because its JSON depends on types that are not known \
             here; use a message, a oneof, or google.protobuf.Struct",
        ),
        (
            "google.protobuf.NullValue one = 1;",
            "t.F.one (t.proto): google.protobuf.NullValue is not supported; use google.protobuf.Value",
        ),
        (
            "map<string, google.protobuf.NullValue> one = 1;",
            "t.F.one (t.proto): google.protobuf.NullValue is not supported; use google.protobuf.Value",
        ),
        ("google.protobuf.Api one = 1;", "t.F.one (t.proto): google.protobuf.Api is not supported"),
        ("repeated google.protobuf.Syntax one = 1;", "t.F.one (t.proto): google.protobuf.Syntax is not supported"),
        (
            "google.rpc.Status one = 1;",
            "t.F.one (t.proto): google.rpc.Status is of the package google.rpc, which is not generated: add it to the \
             generator's packages",
        ),
        (
            "E one = 1;",
            "t.F.one (t.proto): the value 0 of t.E stands for none given, and has no JSON; name it …_UNSPECIFIED, not NONE",
        ),
        (
            "string one = 1; string two = 2 [(kira.api.v1.field).json_name = \"one\"];",
            "t.F: two members have the JSON name `one`",
        ),
    ] {
        assert_eq!(field(text), expected);
    }
    let call = refusal("rpc C(google.protobuf.Any) returns (R);");
    assert!(call.starts_with("t.S.C (t.proto): google.protobuf.Any is not supported"), "{call}");
}

#[test]
fn the_id_of_an_event_is_a_field_of_a_streams_items() {
    let call = |returns: &str, path: &str| {
        refusal(&format!(
            r#"rpc C(Q) returns ({returns}) {{
                option (google.api.http) = {{ get: "/v1" }};
                option (kira.api.v1.method).event_id = "{path}";
            }}"#
        ))
    };
    assert_eq!(call("R", "id"), "t.S.C: `event_id` is for calls whose answer is a stream");
    assert_eq!(call("stream R", "none"), "t.S.C: t.R has no field `none`");
    assert_eq!(call("stream R", "list"), "t.S.C: `event_id`: `list` is no text and no number");
}

#[test]
fn elements_that_are_judged_alone_are_those_of_one_list_of_messages_of_a_request() {
    let with = |field: &str, request: &str| {
        let message = format!("message Many {{ {field} }} message Holder {{ Many many = 1; }}");
        let call = r#"option (google.api.http) = { post: "/v1/many" body: "*" };"#;
        generate(&format!("}} {message} service T {{ rpc C({request}) returns (R) {{ {call} }}"))
    };
    let list = |field: &str| format!("repeated {field} [(kira.api.v1.field).each_alone = true];");
    let code = with(&list("Q one = 1"), "Many").expect("one list");
    assert!(code.contains("AloneList") && code.contains("cx.alone("));
    let refused = "`each_alone` is for one list of messages that is a field of a request itself";
    for (field, request) in [
        (list("string one = 1"), "Many"),
        (list("Q one = 1") + &list("Q two = 2"), "Many"),
        ("Q one = 1 [(kira.api.v1.field).each_alone = true];".to_owned(), "Many"),
        (list("Q one = 1"), "Holder"),
    ] {
        let told = with(&field, request).expect_err(&field);
        assert!(told.contains("t.Many.") && told.contains("(t.proto)") && told.contains(refused), "{told}");
    }
}
