//! The tables of `docs/api.md` are those of the contract. `UPDATE_DOCS=1 cargo test -p kira-codegen --test reference`
//! writes them.

use std::path::PathBuf;

use kira_codegen::Generator;

#[test]
fn the_api_reference_is_that_of_the_contract() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let file = root.join("docs/api.md");
    let committed = std::fs::read_to_string(&file).expect("docs/api.md");
    let generator =
        Generator::new(root.join("proto")).package("kira.users.v1").files("kira.api.v1", &["kira/api/v1/errors.proto"]);
    let reference = generator.reference().expect("the contract is sound");
    let mut current = committed.clone();
    for (part, table) in [
        ("calls", &reference.calls),
        ("messages", &reference.messages),
        ("enums", &reference.enums),
        ("reasons", &reference.reasons),
    ] {
        let (begin, end) = (format!("<!-- {part}: generated -->\n"), format!("<!-- /{part} -->"));
        let (before, rest) = current.split_once(&begin).unwrap_or_else(|| panic!("docs/api.md has a part {begin}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("docs/api.md has a part {end}"));
        current = format!("{before}{begin}{}\n{end}{after}", table.trim_end());
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &current).expect("docs/api.md can be written");
        return;
    }
    assert!(committed == current, "docs/api.md is stale: UPDATE_DOCS=1 cargo test -p kira-codegen --test reference");
}
