//! Words that carry little evidence: particles, titles, company forms, words that many companies use.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Class, Hashing, Kind};

const PARTICLES: &str = "al el ul ad as ar az bin ibn ben bint binti ould wuld abi van von der den de del della di da do dos \
    das la le les los las y e und of the and for in et zu zur zum ter ten op i u a o";
const TITLES: &str = "dr mr mrs ms miss mx prof professor sir dame lord lady sheikh shaykh shaikh sheik sayyid sayed sayyed \
    hajji haji hajj haj mullah mulla mawlawi maulavi maulana qari hafiz imam ayatollah general gen colonel col major maj \
    captain capt lieutenant lt sergeant sgt brigadier brig admiral adm marshal commander cmdr eng engineer ing jr junior \
    sr senior ii iii iv esq phd md mba president praesident prasident prezident minister senator sen hon rev reverend \
    father fr sister brother king queen prince princess emir amir herr frau señor don dona doña monsieur madame mme mlle";
const FORMS: &str = "ltd limited llc llp lp plc inc incorporated corp corporation co company gmbh ag kg kgaa ug sa sas sarl \
    srl spa snc nv bv bvba sprl ab as asa oy oyj aps ao oao ooo zao pao ojsc cjsc pjsc jsc ano too tov dd doo ad eood ead \
    kft zrt bt sro spzoo cv sl slu sc scs sca sapi pte pty pvt sdn bhd tbk pt fze fzco fzc fz wll saoc saog psc kk yk ltda \
    sab se eg ev ek gbr ohg kb hb na";
const GENERIC: &str = "group holding holdings international intl global trading trade general services service systems \
    industries industrial industry enterprises enterprise solutions technology technologies bank banking banco capital \
    fund investment investments partners trust foundation association organization organisation institute university \
    center centre national state federal republic ministry department government agency committee council union \
    development construction engineering manufacturing shipping marine maritime transport logistics airlines aviation \
    oil gas petroleum energy power chemical mining metals steel export import commercial business financial finance \
    insurance management consulting real estate properties medical pharma pharmaceutical food foods products european \
    europe asia africa america middle east west north south new united first company branch office factory plant";
const ROMAN: &str = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv";

/// Phrases that mean a company form, and the form.
const PHRASES: &[(&str, &str)] = &[
    ("open joint stock company", "jsc"),
    ("public joint stock company", "jsc"),
    ("closed joint stock company", "jsc"),
    ("joint stock company", "jsc"),
    ("joint stock compan", "jsc"),
    ("limited liability company", "llc"),
    ("limited liability partnership", "llp"),
    ("public limited company", "plc"),
    ("private limited", "ltd"),
    ("gesellschaft mit beschrankter haftung", "gmbh"),
    ("aktiengesellschaft", "ag"),
    ("kommanditgesellschaft", "kg"),
    ("sociedad anonima de capital variable", "sa"),
    ("sociedad anonima", "sa"),
    ("societe anonyme", "sa"),
    ("sociedad de responsabilidad limitada", "srl"),
    ("societatea cu raspundere limitata", "srl"),
    ("societa per azioni", "spa"),
    ("societe a responsabilite limitee", "sarl"),
    ("sa de cv", "sa"),
    ("s a de c v", "sa"),
    ("sp z oo", "spzoo"),
    ("sp z o o", "spzoo"),
    ("obshchestvo s ogranichennoi otvetstvennostiu", "ooo"),
    ("obshchestvo s ogranichennoy otvetstvennostyu", "ooo"),
    ("aktsionernoe obshchestvo", "jsc"),
    ("publichnoe aktsionernoe obshchestvo", "jsc"),
    ("otkrytoe aktsionernoe obshchestvo", "jsc"),
    ("zakrytoe aktsionernoe obshchestvo", "jsc"),
    ("naamloze vennootschap", "nv"),
    ("besloten vennootschap", "bv"),
    ("united states", "us"),
];

const ORDINALS: &[(&str, &str)] = &[
    ("first", "1"),
    ("second", "2"),
    ("third", "3"),
    ("fourth", "4"),
    ("fifth", "5"),
    ("sixth", "6"),
    ("seventh", "7"),
    ("eighth", "8"),
    ("ninth", "9"),
    ("tenth", "10"),
    ("1st", "1"),
    ("2nd", "2"),
    ("3rd", "3"),
];
const UNITS: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// The classes of the words of one kind of party.
pub(super) struct Lexicon {
    classes: &'static Classes,
    roman: bool,
}

type Classes = HashMap<&'static str, Class, Hashing>;

fn classes(lists: &[(&'static str, Class)]) -> Classes {
    lists.iter().flat_map(|(words, class)| words.split_whitespace().map(|word| (word, *class))).collect()
}

static OF_PERSONS: LazyLock<Classes> =
    LazyLock::new(|| classes(&[(PARTICLES, Class::Particle), (TITLES, Class::Title)]));
static OF_OTHERS: LazyLock<Classes> = LazyLock::new(|| {
    classes(&[(GENERIC, Class::Generic), (PARTICLES, Class::Particle), (FORMS, Class::Form), (ROMAN, Class::Number)])
});
static OF_UNKNOWN: LazyLock<Classes> = LazyLock::new(|| {
    let lists = [(GENERIC, Class::Generic), (TITLES, Class::Title), (PARTICLES, Class::Particle), (FORMS, Class::Form)];
    classes(&lists)
});

impl Lexicon {
    pub(super) fn of(kind: Kind) -> Self {
        let classes = match kind {
            Kind::Person => &OF_PERSONS,
            Kind::Unknown => &OF_UNKNOWN,
            Kind::Organisation | Kind::Vessel | Kind::Aircraft => &OF_OTHERS,
        };
        Self { classes, roman: kind != Kind::Person }
    }

    pub(super) fn class(&self, word: &str) -> Class {
        if word.bytes().all(|letter| letter.is_ascii_digit()) {
            return Class::Number;
        }
        match self.classes.get(word).copied() {
            Some(Class::Number) if !self.roman => Class::Word,
            // Persons abbreviate names to letters that are particles too.
            Some(Class::Particle) | None if word.len() == 1 => Class::Initial,
            None if !self.roman && is_patronymic(word) => Class::Patronymic,
            found => found.unwrap_or(Class::Word),
        }
    }
}

fn is_patronymic(word: &str) -> bool {
    const ENDINGS: [&str; 8] = ["ovich", "evich", "ovitch", "evitch", "ovych", "ovna", "evna", "ivna"];
    word.len() > 7 && ENDINGS.iter().any(|ending| word.ends_with(ending))
}

/// Puts one word in the place of each phrase that means a company form.
pub(super) fn replace_phrases(words: &mut Vec<String>) {
    for (phrase, form) in PHRASES {
        let count = phrase.split(' ').count();
        let found = words.windows(count).position(|window| window.iter().map(String::as_str).eq(phrase.split(' ')));
        if let Some(at) = found {
            words.splice(at..at + count, [(*form).to_owned()]);
        }
    }
}

/// Digits in the place of words that mean a number.
pub(super) fn replace_numbers(words: &mut Vec<String>) {
    for word in words.iter_mut() {
        if let Some(digits) = number(word) {
            *word = digits;
        }
    }
    let mut at = 1;
    while at < words.len() {
        match compound(&words[at - 1], &words[at]) {
            Some(sum) => {
                words.splice(at - 1..=at, [sum]);
            }
            None => at += 1,
        }
    }
}

fn number(word: &str) -> Option<String> {
    if let Some((_, digits)) = ORDINALS.iter().find(|(ordinal, _)| *ordinal == word) {
        return Some((*digits).to_owned());
    }
    if let Some(digits) = word.strip_suffix("th").filter(|digits| is_digits(digits)) {
        return Some(digits.to_owned());
    }
    let unit = UNITS.iter().position(|unit| *unit == word);
    unit.or_else(|| TENS.iter().position(|ten| *ten == word).map(|at| (at + 2) * 10)).map(|value| value.to_string())
}

fn is_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_digit())
}

/// `40` and `4` as words are 44.
fn compound(tens: &str, unit: &str) -> Option<String> {
    let (tens, unit): (u32, u32) = (tens.parse().ok()?, unit.parse().ok()?);
    ((20..100).contains(&tens) && tens % 10 == 0 && (1..10).contains(&unit)).then(|| (tens + unit).to_string())
}
