//! Generates the contract from `proto/`: see the crate `kira-codegen`.

fn main() {
    let openapi = kira_codegen::Generator::new("proto")
        .package("kira.users.v1")
        .files("kira.api.v1", &["kira/api/v1/errors.proto"])
        .openapi("proto/openapi");
    if let Err(error) = openapi.and_then(|openapi| openapi.write()) {
        panic!("cannot generate the documents of the contract: {error:#}");
    }
    let generator = kira_codegen::Generator::new("proto")
        .package("kira.users.v1")
        .internal_package("kira.users.storage.v1")
        .rules("crate::contract::rules");
    if let Err(error) = generator.write("contract") {
        panic!("cannot generate the contract: {error:#}");
    }
}
