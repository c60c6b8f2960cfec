//! Generates the messages and the gRPC clients of the contract.

fn main() {
    let generator = kira_codegen::Generator::new("../../proto")
        .files("google.rpc", &["google/rpc/error_details.proto", "google/rpc/status.proto", "google/rpc/code.proto"])
        .files("kira.api.v1", &["kira/api/v1/errors.proto"])
        .package("kira.users.v1")
        .client_only();
    if let Err(error) = generator.write("client") {
        panic!("cannot generate the client: {error:#}");
    }
}
