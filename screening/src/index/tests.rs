use proptest::prelude::*;

use super::*;
use crate::list::{DateRange, Document, List, ListedName, NameKind, PartialDate};
use crate::name::Change;
use crate::score::{Agreement, Facts};

fn person(id: usize, names: &[&str]) -> Entry {
    let names = names.iter().map(|text| ListedName { text: (*text).to_owned(), kind: NameKind::Primary });
    Entry { list: "own".into(), id: id.to_string(), kind: Kind::Person, names: names.collect(), ..Entry::default() }
}

fn screen(index: &Index, query: &Query) -> Vec<Match> {
    index.screen(query, 0.7, &mut Scratch::default())
}

#[test]
fn a_listed_person_is_found_and_the_match_says_word_by_word_why() {
    let index = Index::of(&[person(1, &["KARIMOV, Muhammad Yusuf"]), person(2, &["John Smith"])]);
    let found = screen(&index, &Query::by_name("Yousef Mohammed Karimov", Kind::Person));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].entry.id, "1");
    let name = found[0].name.as_ref().expect("a name");
    let changes: Vec<(&str, &str, Change)> =
        name.tokens.iter().map(|token| (token.query.as_str(), token.listed.as_str(), token.change)).collect();
    assert_eq!(
        changes,
        [
            ("yousef", "yusuf", Change::Variant),
            ("mohammed", "muhammad", Change::Variant),
            ("karimov", "karimov", Change::Same)
        ]
    );
}

#[test]
fn entries_come_back_as_they_were_put_in() {
    let mut entry = person(7, &["A", "B C"]);
    entry.programmes = vec!["X".into(), "Y".into()];
    entry.births =
        vec![DateRange::parse("1960 to 1961").expect("a range"), DateRange::parse("circa 1950").expect("a year")];
    entry.countries = vec!["FR".into()];
    entry.documents = vec![Document { kind: "passport".into(), number: "A1".into(), country: Some("FR".into()) }];
    entry.reason = Some("r".into());
    entry.expires = Some("2030-01-01".into());
    entry.place = crate::list::Place { line: 300, byte: 70_000 };
    assert_eq!(Index::of(std::slice::from_ref(&entry)).entry(0), Some(entry));
}

#[test]
fn a_date_of_birth_that_agrees_raises_and_one_that_differs_lowers() {
    let mut entry = person(1, &["Ottokar Grimsditch"]);
    entry.births = vec![DateRange::parse("1961-04-17").expect("a date")];
    let index = Index::of(&[entry]);
    let with = |birth: &str| {
        let facts = Facts { kind: Kind::Person, birth: PartialDate::parse(birth), ..Facts::default() };
        screen(&index, &Query { names: vec!["Otokar Grimsditch".into()], facts }).first().map(|found| found.score)
    };
    assert!(with("1961-04-17") > with("1961"));
    assert!(with("1961") > with(""));
    assert!(with("") > with("1985-01-01"));
}

#[test]
fn the_number_of_a_document_finds_an_entry_whose_name_is_another() {
    let index = Index::of(&List::example().entries);
    let facts = Facts { kind: Kind::Person, documents: vec!["ex-123 4567".into()], ..Facts::default() };
    let found = screen(&index, &Query { names: vec!["Somebody Else".into()], facts });
    assert_eq!(found[0].entry.id, "EX-1");
    assert_eq!(found[0].facts[0].agreement, Agreement::Document);
    assert!(found[0].name.is_none());
}

#[test]
fn the_example_list_is_hit_in_other_scripts_and_spellings() {
    let index = Index::of(&List::example().entries);
    for (name, kind, id) in [
        ("Милорад Тестанович", Kind::Person, "EX-3"),
        ("T3stanovic Milorad", Kind::Person, "EX-3"),
        ("Оttokаr Grimsditch", Kind::Person, "EX-1"),
        ("Zbd Al Frrn", Kind::Person, "EX-2"),
        ("Vymysel LLC", Kind::Organisation, "EX-5"),
        ("Lower Saxony Imaginary Shipping Limited", Kind::Organisation, "EX-4"),
    ] {
        let found = screen(&index, &Query::by_name(name, kind));
        assert_eq!(found.first().map(|found| found.entry.id.as_str()), Some(id), "{name}");
    }
}

#[test]
fn odd_names_are_screened_without_harm() {
    let long = "ab ".repeat(5_000);
    let entries = [person(1, &["X"]), person(2, &["😀😀"]), person(3, &[&long]), person(4, &["王"])];
    let index = Index::of(&entries);
    for name in [
        "",
        " ",
        "X",
        "😀",
        "\u{200b}",
        &long,
        "王",
        "..--,,",
        "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z AA",
    ] {
        let query = Query::by_name(name, Kind::Person);
        assert_eq!(screen(&index, &query), index.screen_exhaustively(&query, 0.7), "{name:.20}");
    }
}

#[test]
fn ten_thousand_aliases_of_one_party_are_one_match() {
    let names: Vec<String> = (0..10_000).map(|number| format!("Alias{number} Grimsditch")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let index = Index::of(&[person(1, &names)]);
    let found = screen(&index, &Query::by_name("Alias77 Grimsditch", Kind::Person));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name.as_ref().map(|name| name.listed.as_str()), Some("Alias77 Grimsditch"));
}

const WORDS: &[&str] = &[
    "muhammad",
    "Mohammed",
    "al",
    "abdul",
    "abd",
    "rahman",
    "abdulrahman",
    "Ivan",
    "John",
    "J",
    "Petrov",
    "Petroff",
    "li",
    "Lee",
    "Kim",
    "jong",
    "un",
    "Jongun",
    "Dr",
    "bin",
    "O'Brien",
    "Obrien",
    "Иванов",
    "Петров",
    "محمد",
    "王",
    "小明",
    "Hernandez",
    "Hemandez",
    "Xavier",
    "Sch1n",
    "Sechin",
    "Garcia-Lopez",
    "x",
    "vladimirovich",
    "Karim",
    "Karimov,",
    "a.b.",
    "Ltd",
    "bank",
];

fn name() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => "[a-z]{1,9}",
        1 => proptest::sample::select(WORDS).prop_flat_map(|word| {
            let letters: Vec<char> = word.chars().collect();
            (0..letters.len(), "[a-z]?").prop_map(move |(at, new)| {
                letters.iter().enumerate().map(|(i, letter)| if i == at { new.clone() } else { letter.to_string() }).collect::<String>()
            })
        }),
    ];
    proptest::collection::vec(word, 1..7).prop_map(|words| words.join(" "))
}

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(&[Kind::Person, Kind::Organisation, Kind::Unknown][..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn screening_finds_exactly_what_comparing_every_name_finds(
        names in proptest::collection::vec((name(), kind()), 1..40),
        query in name(),
        query_kind in kind(),
        threshold in 0.2f32..0.95,
        birth in proptest::bool::ANY,
    ) {
        let entries: Vec<Entry> =
            names.iter().enumerate().map(|(id, (text, kind))| Entry { kind: *kind, ..person(id, &[text]) }).collect();
        let index = Index::of(&entries);
        let mut query = Query::by_name(&query, query_kind);
        query.facts.birth = PartialDate::parse("1960").filter(|_| birth);
        let mut scratch = Scratch::default();
        let (found, all) = (index.screen(&query, threshold, &mut scratch), index.screen_exhaustively(&query, threshold));
        prop_assert_eq!(&found, &all);
        // Nothing of one search is left for the next.
        prop_assert_eq!(index.screen(&query, threshold, &mut scratch), all);
    }
}
