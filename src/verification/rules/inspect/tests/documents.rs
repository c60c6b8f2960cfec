use miniz_oxide::deflate::compress_to_vec_zlib;

use super::*;

pub(super) const ONE_PAGE: [&str; 3] = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /Contents (a \\) b (c)) /MediaBox [0 0 612.0 792] >>",
];

/// A document of objects numbered from 1, the first the catalog, with a table.
pub(super) fn classic(objects: &[&str]) -> Vec<u8> {
    with_trailer(objects, "")
}

fn with_trailer(objects: &[&str], trailer: &str) -> Vec<u8> {
    let mut text = "%PDF-1.7\n%\u{e2}\u{e3}\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(objects) {
        table.push_str(&format!("{:010} 00000 n \n", text.len()));
        text.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let start = text.len();
    let size = objects.len() + 1;
    let end = format!("trailer\n<< /Size {size} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n");
    (text + &table + &end).into_bytes()
}

/// A stream object.
fn stream(number: u32, dictionary: &str, content: &[u8]) -> Vec<u8> {
    let packed = compress_to_vec_zlib(content, 9);
    let head = format!("{number} 0 obj\n<< {dictionary} /Filter /FlateDecode /Length {} >>\nstream\n", packed.len());
    [head.as_bytes(), &packed, b"\nendstream\nendobj\n"].concat()
}

/// A document as current programs write it: objects in a stream, the table in another.
pub(super) fn compressed() -> Vec<u8> {
    compressed_of(ONE_PAGE[2], |content| content)
}

fn compressed_of(page: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let objects = [ONE_PAGE[0], ONE_PAGE[1], page];
    let (mut head, mut body) = (String::new(), String::new());
    for (number, object) in (1..).zip(objects) {
        head.push_str(&format!("{number} {} ", body.len()));
        body.push_str(&format!("{object} "));
    }
    let dictionary = format!("/Type /ObjStm /N 3 /First {}", head.len());
    let mut bytes = b"%PDF-1.7\n".to_vec();
    let objects_at = bytes.len();
    bytes.extend(stream(4, &dictionary, &change((head + &body).into_bytes())));
    let table_at = bytes.len();
    let entries = [
        [0, 0, 0, 0],
        [2, 0, 4, 0],
        [2, 0, 4, 1],
        [2, 0, 4, 2],
        [1, 0, objects_at as u8, 0],
        [1, (table_at >> 8) as u8, table_at as u8, 0],
    ];
    // With the predictor "up", as current programs write it.
    let mut above = [0_u8; 4];
    let rows: Vec<u8> = entries
        .iter()
        .flat_map(|entry| {
            let row: Vec<u8> = entry.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(above)).collect();
            above = *entry;
            [vec![2], row].concat()
        })
        .collect();
    let dictionary = "/Type /XRef /Size 6 /W [1 2 1] /Root 1 0 R /DecodeParms << /Predictor 12 /Columns 4 >>";
    bytes.extend(stream(5, dictionary, &rows));
    bytes.extend(format!("startxref\n{table_at}\n%%EOF\n").into_bytes());
    bytes
}

fn found(objects: &[&str]) -> Vec<Defect> {
    defects(MediaType::Pdf, &classic(objects))
}

#[test]
fn good_documents_have_no_defects() {
    assert_eq!(found(&ONE_PAGE), []);
    assert_eq!(defects(MediaType::Pdf, &compressed()), []);
}

#[test]
fn blanks_behind_the_end_are_no_defect() {
    assert_eq!(defects(MediaType::Pdf, &[classic(&ONE_PAGE), vec![0; 4096]].concat()), []);
    assert_eq!(defects(MediaType::Pdf, &[classic(&ONE_PAGE), vec![b'x'; 4096]].concat()), [Defect::TrailingData]);
}

#[test]
fn a_document_without_its_end_is_impossible_only_without_a_page() {
    let whole = classic(&ONE_PAGE);
    assert_eq!(defects(MediaType::Pdf, &whole[..whole.len() / 2]), [Defect::CutOff], "a part of the page");
    let page = whole.windows(7).position(|window| window == b"3 0 obj").expect("a page");
    assert_eq!(defects(MediaType::Pdf, &whole[..page]), [Defect::Truncated]);
}

#[test]
fn a_table_that_leads_nowhere_is_damage() {
    let text = String::from_utf8_lossy(&classic(&ONE_PAGE)).replace("1 0 obj", "7 0 obj");
    assert_eq!(defects(MediaType::Pdf, text.as_bytes()), [Defect::Damaged]);
}

#[test]
fn a_table_that_leads_past_the_end_of_the_file_is_damage() {
    let text = String::from_utf8_lossy(&classic(&ONE_PAGE)).replace("0000000015", "9999999999");
    assert_eq!(defects(MediaType::Pdf, text.as_bytes()), [Defect::Damaged]);
    let start = b"%PDF-1.7\n1 0 obj\n<< /Type /Page >>\nendobj\nstartxref\n99999\n%%EOF";
    assert_eq!(defects(MediaType::Pdf, start), [Defect::Damaged]);
}

#[test]
fn comments_that_are_looked_at_from_every_object_run_out_of_work() {
    let text = format!("%PDF-1.7\n{}", "1 0 obj 5 %".repeat(100_000));
    assert_eq!(defects(MediaType::Pdf, text.as_bytes()), [Defect::TooComplex]);
}

#[test]
fn a_page_tree_in_a_circle_is_a_loop() {
    assert_eq!(found(&[ONE_PAGE[0], "<< /Type /Pages /Kids [2 0 R] /Count 1 >>"]), [Defect::Loop]);
}

#[test]
fn tables_in_a_circle_are_a_loop() {
    let start = classic(&ONE_PAGE).windows(5).position(|window| window == b"xref\n").expect("a table");
    let looping = with_trailer(&ONE_PAGE, &format!("/Prev {start}"));
    assert_eq!(defects(MediaType::Pdf, &looping), [Defect::Loop]);
}

#[test]
fn a_document_without_pages_shows_nothing() {
    assert_eq!(found(&[ONE_PAGE[0], "<< /Type /Pages /Kids [] /Count 1 >>"]), [Defect::NoPages]);
}

#[test]
fn children_may_stand_in_an_object_of_their_own() {
    assert_eq!(found(&[ONE_PAGE[0], "<< /Type /Pages /Kids 4 0 R /Count 1 >>", ONE_PAGE[2], "[3 0 R]"]), []);
}

#[test]
fn scripts_are_found_under_an_escaped_name_and_in_a_stream() {
    let script = "<< /Type /Page /AA << /O << /S /Java#53cript /JS (app.alert\\(1\\)) >> >> >>";
    assert_eq!(found(&[ONE_PAGE[0], ONE_PAGE[1], script]), [Defect::ActiveContent]);
    assert_eq!(defects(MediaType::Pdf, &compressed_of(script, |content| content)), [Defect::ActiveContent]);
}

#[test]
fn a_word_in_a_text_is_no_script() {
    let page = "<< /Type /Page /Title (about /JavaScript and /JS) >>";
    assert_eq!(found(&[ONE_PAGE[0], ONE_PAGE[1], page]), []);
}

#[test]
fn a_password_is_named_and_nothing_else_is_looked_at() {
    let bytes = with_trailer(&ONE_PAGE, "/Encrypt 9 0 R");
    assert_eq!(defects(MediaType::Pdf, &bytes), [Defect::Encrypted]);
}

#[test]
fn nesting_without_end_is_too_complex() {
    let deep = "[".repeat(1 << 20);
    assert_eq!(found(&[ONE_PAGE[0], ONE_PAGE[1], &deep]), [Defect::TooComplex]);
}

#[test]
fn a_stream_that_inflates_without_end_is_too_complex() {
    let bomb = compressed_of(ONE_PAGE[2], |content| [content, vec![b' '; 64 << 20]].concat());
    assert!(bomb.len() < 1 << 20);
    assert_eq!(defects(MediaType::Pdf, &bomb), [Defect::TooComplex]);
}

#[test]
fn objects_inside_each_other_run_out_of_work() {
    const OBJECTS: usize = 20_000;
    let mut text = "%PDF-1.7\n".to_owned();
    let mut table = format!("xref\n1 {OBJECTS}\n");
    for number in 1..=OBJECTS {
        table.push_str(&format!("{:010} 00000 n \n", text.len()));
        // Each object is a text, and all that follow are in it.
        text.push_str(&format!("{number} 0 obj ("));
    }
    text.push_str(&")".repeat(OBJECTS));
    let end = format!("trailer\n<< /Root 1 0 R >>\nstartxref\n{}\n%%EOF", text.len());
    assert_eq!(defects(MediaType::Pdf, (text + &table + &end).as_bytes()), [Defect::TooComplex]);
}

#[test]
fn more_objects_than_a_document_has_are_too_complex() {
    let mut text = "%PDF-1.7\n1 0 obj\nnull\nendobj\n".to_owned();
    let start = text.len();
    text.push_str("xref\n0 250000\n");
    text.push_str(&"0000000009 00000 n \n".repeat(250_000));
    text.push_str(&format!("trailer\n<< /Root 1 0 R >>\nstartxref\n{start}\n%%EOF"));
    assert_eq!(defects(MediaType::Pdf, text.as_bytes()), [Defect::TooComplex]);
}

#[test]
fn a_document_that_ends_as_an_archive_is_a_polyglot() {
    let bytes = [classic(&ONE_PAGE), zip()].concat();
    assert_eq!(defects(MediaType::Pdf, &bytes), [Defect::Polyglot]);
}
