//! How good the matcher is on labelled pairs of names.

use std::collections::BTreeMap;
use std::io::Read;

use crate::list::{Csv, Place, ReadError};
use crate::name::{Kind, Name};
use crate::score::{Model, score_names};

/// Two names and whether a person calls them the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// A class of cases, for figures of each.
    pub class: String,
    /// Of both names.
    pub kind: Kind,
    /// The names.
    pub names: [String; 2],
    /// The label.
    pub same: bool,
}

/// Counts at one threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Called the same, and labelled so.
    pub hits: u32,
    /// Called the same, and labelled otherwise.
    pub false_alarms: u32,
    /// Labelled the same, and not called so.
    pub misses: u32,
    /// Neither.
    pub rejections: u32,
}

/// Counts of all pairs and of each class.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Evaluation {
    /// Of all pairs.
    pub all: Counts,
    /// Of each class.
    pub classes: BTreeMap<String, Counts>,
}

impl Counts {
    fn add(&mut self, called: bool, same: bool) {
        *match (called, same) {
            (true, true) => &mut self.hits,
            (true, false) => &mut self.false_alarms,
            (false, true) => &mut self.misses,
            (false, false) => &mut self.rejections,
        } += 1;
    }

    /// Of those called the same, the share that is; 1 if none is called so.
    #[must_use]
    pub fn precision(&self) -> f64 {
        share(self.hits, self.hits + self.false_alarms)
    }

    /// Of those that are the same, the share called so; 1 if there is none.
    #[must_use]
    pub fn recall(&self) -> f64 {
        share(self.hits, self.hits + self.misses)
    }

    /// The harmonic mean of both.
    #[must_use]
    pub fn f1(&self) -> f64 {
        share(2 * self.hits, 2 * self.hits + self.false_alarms + self.misses)
    }

    /// Of those that are not the same, the share called so.
    #[must_use]
    pub fn false_positive_rate(&self) -> f64 {
        1.0 - share(self.rejections, self.rejections + self.false_alarms)
    }
}

fn share(part: u32, whole: u32) -> f64 {
    if whole == 0 { 1.0 } else { f64::from(part) / f64::from(whole) }
}

/// Reads labelled pairs: CSV with the columns `name1`, `name2`, `is_match` (`true` or `false`), and perhaps `schema`
/// (`Person`, `Company`, `Organization`, `Vessel`) and `case_group` or `class`.
///
/// # Errors
/// If the input fails, is cut short, or lacks a column or a label.
pub fn read_pairs(input: impl Read) -> Result<Vec<Pair>, ReadError> {
    let mut csv = Csv::new(std::io::BufReader::new(input), b',');
    let head = csv.next_record()?.map(|record| record.fields).unwrap_or_default();
    let column = |name: &str| head.iter().position(|field| field.eq_ignore_ascii_case(name));
    let wrong = |place: Place, why: String| ReadError::NotThisFormat { place, expected: "labelled pairs", why };
    let needed =
        |name: &str| column(name).ok_or_else(|| wrong(Place { line: 1, byte: 0 }, format!("it has no column {name}")));
    let (one, two, label) = (needed("name1")?, needed("name2")?, needed("is_match")?);
    let (schema, class) = (column("schema"), column("case_group").or_else(|| column("class")));
    let mut pairs = Vec::new();
    while let Some(record) = csv.next_record()? {
        let field = |at: usize| record.fields.get(at).map(String::as_str).unwrap_or_default();
        let same = match field(label) {
            "true" => true,
            "false" => false,
            _ => return Err(wrong(record.place, "is_match is neither true nor false".to_owned())),
        };
        pairs.push(Pair {
            class: class.map(field).unwrap_or_default().to_owned(),
            kind: kind(schema.map(field).unwrap_or_default()),
            names: [field(one).to_owned(), field(two).to_owned()],
            same,
        });
    }
    Ok(pairs)
}

fn kind(schema: &str) -> Kind {
    match schema {
        "Person" => Kind::Person,
        "Company" | "Organization" => Kind::Organisation,
        "Vessel" => Kind::Vessel,
        "Airplane" => Kind::Aircraft,
        _ => Kind::Unknown,
    }
}

/// The score of each pair.
#[must_use]
pub fn scores(pairs: &[Pair]) -> Vec<f32> {
    let model = Model::default();
    let score = |pair: &Pair| {
        let [one, two] = &pair.names;
        score_names(&model, &Name::parse(one, pair.kind), &Name::parse(two, pair.kind))
    };
    pairs.iter().map(score).collect()
}

/// Counts the pairs at a threshold; `scores` are those of the pairs, in their order.
#[must_use]
pub fn evaluate(pairs: &[Pair], scores: &[f32], threshold: f32) -> Evaluation {
    let mut evaluation = Evaluation::default();
    for (pair, score) in pairs.iter().zip(scores) {
        let called = *score >= threshold;
        evaluation.all.add(called, pair.same);
        evaluation.classes.entry(pair.class.clone()).or_default().add(called, pair.same);
    }
    evaluation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_of_the_counts() {
        let text = "class,name1,name2,is_match\na,Igor Sechin,I9or Sech1n,true\na,Roman Fico,Robert Fico,true\nb,Igor Sechin,Anna Blom,false\n";
        let pairs = read_pairs(text.as_bytes()).expect("pairs");
        let found = evaluate(&pairs, &[0.9, 0.1, 0.8], 0.7);
        assert_eq!(found.all, Counts { hits: 1, false_alarms: 1, misses: 1, rejections: 0 });
        assert_eq!((found.all.precision(), found.all.recall(), found.all.f1()), (0.5, 0.5, 0.5));
        assert_eq!(found.classes["b"].false_positive_rate(), 1.0);
    }

    #[test]
    fn a_file_without_labels_is_refused() {
        let error = read_pairs(&b"name1,name2,is_match\na,b,perhaps\n"[..]).expect_err("no label");
        assert!(error.to_string().starts_with("line 2, byte 21"), "{error}");
        assert!(read_pairs(&b"name1,name2\n"[..]).is_err());
    }

    #[test]
    fn names_alike_score_above_names_that_are_not() {
        let text =
            "name1,name2,is_match,schema\nIgor Sechin,I9or Sech1n,true,Person\nIgor Sechin,Anna Blom,false,Person\n";
        let scores = scores(&read_pairs(text.as_bytes()).expect("pairs"));
        assert!(scores[0] > 0.7 && scores[1] < 0.1, "{scores:?}");
    }
}
