use proptest::prelude::*;

use super::similarity::similarity;
use super::*;

fn words(text: &str, kind: Kind) -> Vec<String> {
    Name::parse(text, kind).tokens.iter().map(|token| token.text.to_string()).collect()
}

#[test]
fn the_family_name_before_a_comma_goes_to_the_end() {
    assert_eq!(words("KARIMOV, Muhammad Yusuf", Kind::Person), ["muhammad", "yusuf", "karimov"]);
    assert_eq!(words("Foo, Bar, Inc.", Kind::Organisation), ["foo", "bar", "inc"]);
}

#[test]
fn look_alike_letters_are_undone_and_honest_scripts_are_transliterated() {
    assert_eq!(words("Sаddаm Ниssein", Kind::Person)[0], "saddam");
    assert_eq!(words("Игорь Сечин", Kind::Person), ["igor", "sechin"]);
    assert_eq!(words("习近平", Kind::Person), ["xi", "jinping"]);
}

#[test]
fn invisible_characters_and_marks_are_removed() {
    assert_eq!(words("Ka\u{200b}ri\u{2060}mov José", Kind::Person), ["karimov", "jose"]);
}

#[test]
fn company_forms_are_one_word_and_slight() {
    let name = Name::parse("TACTICAL MISSILES CORPORATION JOINT STOCK COMPANY", Kind::Organisation);
    let slight: Vec<&str> =
        name.tokens.iter().filter(|token| token.class == Class::Form).map(|token| &*token.text).collect();
    assert_eq!(slight, ["corporation", "jsc"]);
}

#[test]
fn a_name_of_titles_only_keeps_them_as_words() {
    assert!(Name::parse("Sheikh", Kind::Person).tokens.iter().all(|token| token.class == Class::Word));
}

#[test]
fn similar_tokens_are_like_and_others_are_not() {
    let like = |a: &str, b: &str| similarity(a.as_bytes(), b.as_bytes(), false);
    for (a, b) in
        [("hernandez", "hemandez"), ("sechin", "sech1n"), ("boonchua", "bnch"), ("mikhail", "mihail"), ("john", "jhon")]
    {
        assert!(like(a, b) > 0.6, "{a} {b} {}", like(a, b));
    }
    for (a, b) in [("kemal", "petrov"), ("luxford", "luxon"), ("albano", "ruto")] {
        assert!(like(a, b) < 0.6, "{a} {b} {}", like(a, b));
    }
}

proptest! {
    #[test]
    fn any_text_is_taken_apart(text in any::<String>()) {
        let name = Name::parse(&text, Kind::Person);
        prop_assert!(name.tokens.len() <= MAX_TOKENS);
        prop_assert!(name.tokens.iter().all(|token| token.text.is_ascii() && !token.text.is_empty()));
    }

    #[test]
    fn similarity_is_the_same_from_both_sides(a in "[a-z0-9]{1,12}", b in "[a-z0-9]{1,12}", lax in any::<bool>()) {
        let (one, other) = (similarity(a.as_bytes(), b.as_bytes(), lax), similarity(b.as_bytes(), a.as_bytes(), lax));
        prop_assert!((one - other).abs() < 1e-6 && (0.0..=1.0).contains(&one));
    }
}
