//! Generates the library's contract.

fn main() {
    let generator = kira_codegen::Generator::new("proto").include("../../proto").package("library.v1");
    if let Err(error) = generator.write("library") {
        panic!("cannot generate the library's contract: {error:#}");
    }
}
