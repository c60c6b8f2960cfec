//! Generates the contract from `proto/`: see the crate `kira-codegen`.

fn main() {
    let generator = kira_codegen::Generator::new("proto")
        .package("kira.users.v1")
        .internal_package("kira.users.storage.v1")
        .rules("crate::contract::rules");
    if let Err(error) = generator.write("contract") {
        panic!("cannot generate the contract: {error:#}");
    }
}
