use kira_gateway::{check, json};
use kira_users::contract::v1;
fn show(body: &str) {
    let read = json::read::<v1::CreateUserRequest>(body.as_bytes());
    let mut m = read.message;
    let r = check::accept(&mut m, Default::default(), read.problems);
    match r {
        Ok(()) => println!("OK {m:?}\n   unknown {:?}", read.unknown.iter().map(|p| p.to_string()).collect::<Vec<_>>()),
        Err(p) => {
            for p in p.into_sorted() {
                println!("{} | {} | {}", p.path, p.code, p.message)
            }
        }
    }
    println!("--");
}
#[test]
fn smoke() {
    show(
        r#"{"type":"individual","email":"a@b.co","first_name":"J","last_name":"D","address_country":"USA","x":{"a":1},"metadata":{"k":[1,"v"]},"identifying_information":[{"type":"passport","issuing_country":"USA","documents":[{"type":"front","file":"data:image/png;base64,iVBORw0KGgo="}]}]}"#,
    );
    show(
        r#"{"email":1,"first_name":"J","last_name":null,"gender":"x","address_city":[],"identifying_information":[3,{"type":"ssn","documents":[{"file":"data:image/gif;base64,AAAA"}]}],"pep_status":"no","source_of_funds":3,"type":"individual"}"#,
    );
    show(r#"{"type":"alien","email":1}"#);
    show(r#"[1]"#);
    show(
        r#"{"type":"business","company_name":"x","business_legal_name":"y","associated_persons":[{"ownership_percentage":101,"identifying_information":{}}]}"#,
    );
    show("{\"type\":\"business\",\n \"email\":\"a\",\"email\":\"b\"}");
    show("{\"email\":\"\\ud800\",\n\"type\":\"business\"}");
    show("{\"type\":\"business\", \n");
    show(&format!("{{\"type\":\"business\",\"x\":{}1{}}}", "[".repeat(128), "]".repeat(128)));
}
