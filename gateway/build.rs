//! Generates the error reasons, and the messages that carry them over gRPC.

fn main() {
    let generator = kira_codegen::Generator::new("../proto")
        .files("google.rpc", &["google/rpc/error_details.proto", "google/rpc/status.proto", "google/rpc/code.proto"])
        .files("kira.api.v1", &["kira/api/v1/errors.proto"])
        .messages_only();
    if let Err(error) = generator.write("errors") {
        panic!("cannot generate the error reasons: {error:#}");
    }
}
