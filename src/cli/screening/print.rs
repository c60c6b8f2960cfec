//! What the commands on lists and names print.

use std::fmt::Write as _;

use kira_screening::evaluate::{Counts, Evaluation};
use kira_screening::index::{Match, NameMatch};
use kira_screening::list::{Difference, Entry, Format, List};
use kira_screening::name::{Change, Kind};

/// Entries of a difference that are named one by one.
const NAMED: usize = 20;

pub(super) fn status(format: Format, list: &List) -> String {
    let report = &list.report;
    let of = |kind: Kind| list.entries.iter().filter(|entry| entry.kind == kind).count();
    let mut text = format!(
        "format        {format}\nentries       {}\n  persons     {}\n  others      {}\nnames         {}\nencoding      {:?}\n\
         repaired      {} bytes\ndamaged       {} records",
        report.entries,
        of(Kind::Person),
        list.entries.len() - of(Kind::Person),
        report.names,
        report.encoding,
        report.repaired_bytes,
        report.damaged,
    );
    for problem in &report.problems {
        line(&mut text, &format!("  {}: {}", problem.place, problem.why));
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

pub(super) fn difference(found: &Difference) -> String {
    let mut text =
        format!("before        {}\nafter         {}\nunchanged     {}", found.before, found.after, found.unchanged);
    for (name, ids) in [("added", &found.added), ("removed", &found.removed), ("changed", &found.changed)] {
        line(&mut text, &format!("{name:<13} {}", ids.len()));
        ids.iter().take(NAMED).for_each(|id| line(&mut text, &format!("  {id}")));
        if ids.len() > NAMED {
            line(&mut text, &format!("  and {} more", ids.len() - NAMED));
        }
    }
    text
}

pub(super) fn evaluations(found: &[(f32, Evaluation)]) -> String {
    let mut text = String::from("threshold  class                 precision  recall     F1    false positives");
    for (threshold, evaluation) in found {
        counts(&mut text, *threshold, "all", &evaluation.all);
        let classes = evaluation.classes.iter().filter(|(class, _)| !class.is_empty());
        classes.for_each(|(class, of_class)| counts(&mut text, *threshold, class, of_class));
    }
    text
}

fn counts(text: &mut String, threshold: f32, class: &str, counts: &Counts) {
    let (precision, recall) = (counts.precision(), counts.recall());
    let (f1, rate) = (counts.f1(), counts.false_positive_rate());
    // Writing to a string cannot fail.
    let _ = write!(text, "\n{threshold:<9.2}  {class:<20}  {precision:>9.3}  {recall:>6.3}  {f1:>5.3}  {rate:>15.3}");
}

pub(super) fn matches(found: &[Match]) -> String {
    match found {
        [] => "no match".to_owned(),
        found => found.iter().map(one).collect::<Vec<String>>().join("\n\n"),
    }
}

fn one(found: &Match) -> String {
    let Entry { list, id, programmes, place, reason, expires, .. } = &found.entry;
    let mut text = format!("{:.3}  {list} {id}, {place}", found.score);
    if !programmes.is_empty() {
        line(&mut text, &format!("  programmes: {}", programmes.join(", ")));
    }
    if let Some(reason) = reason {
        line(&mut text, &format!("  reason: {reason}"));
    }
    if let Some(expires) = expires {
        line(&mut text, &format!("  until: {expires}"));
    }
    match &found.name {
        Some(matched) => name(&mut text, matched),
        None => line(&mut text, "  the names are not alike"),
    }
    for fact in &found.facts {
        let (agreement, weight) = (words(&fact.agreement), fact.weight);
        line(&mut text, &format!("  {agreement}: {} against {} ({weight:+.1})", fact.query, fact.listed));
    }
    text
}

fn name(text: &mut String, matched: &NameMatch) {
    let (kind, score) = (words(&matched.kind), matched.score);
    line(text, &format!("  {} ~ {} ({kind}), names alone {score:.3}", matched.query, matched.listed));
    for token in &matched.tokens {
        let change = match token.change {
            Change::Same => String::new(),
            change => format!(": {}, {:.2}", words(&change), token.similarity),
        };
        line(text, &format!("    {} = {}{change}", token.query, token.listed));
    }
    for (side, rest) in [("query", &matched.query_rest), ("list", &matched.listed_rest)] {
        if !rest.is_empty() {
            line(text, &format!("    only in the {side}: {}", rest.join(" ")));
        }
    }
}

/// A value of the explanation in words: its name in JSON without underscores.
fn words(value: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned));
    name.unwrap_or_default().replace('_', " ")
}
