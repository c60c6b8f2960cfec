//! Fits the weights of the score and reports figures.
//!
//! `cargo run --release -p kira-screening --example fit -- PAIRS.csv [BENCHMARK.tsv]`: labelled pairs with the columns
//! schema, name1, name2, is_match; a benchmark with lines `pool seed id name`, `pos seed id class query source`,
//! `neg seed - class query source`, separated by tabs.

#![allow(clippy::print_stdout, reason = "the figures are the purpose")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

use kira_screening::list::Csv;
use kira_screening::name::{Kind, Name};
use kira_screening::score::{FEATURES, Features, Model, align};

struct Pair {
    group: String,
    names: [String; 2],
    matches: bool,
    features: Features,
}

struct Case {
    seed: String,
    id: String,
    class: String,
    query: String,
    name: Name,
}

type Pool = BTreeMap<String, Vec<(String, Name, String)>>;

fn kind(schema: &str) -> Kind {
    match schema {
        "Person" => Kind::Person,
        "Vessel" => Kind::Vessel,
        "LegalEntity" => Kind::Unknown,
        _ => Kind::Organisation,
    }
}

fn pairs(path: &str) -> Vec<Pair> {
    let mut csv = Csv::new(BufReader::new(File::open(path).expect("the pairs")), b',');
    let head = csv.next_record().expect("readable").expect("a head").fields;
    let at = |name: &str| head.iter().position(|column| column == name).expect("a column");
    let (group, schema, one, two, is) = (at("case_group"), at("schema"), at("name1"), at("name2"), at("is_match"));
    let mut pairs = Vec::new();
    while let Some(record) = csv.next_record().expect("readable") {
        let f = &record.fields;
        let kind = kind(&f[schema]);
        let (a, b) = (Name::parse(&f[one], kind), Name::parse(&f[two], kind));
        let features = align(&a, &b).features(&a, &b);
        pairs.push(Pair {
            group: f[group].clone(),
            names: [f[one].clone(), f[two].clone()],
            matches: f[is] == "true",
            features,
        });
    }
    pairs
}

fn benchmark(path: &str) -> (Pool, Vec<Case>) {
    let (mut pool, mut cases) = (Pool::new(), Vec::new());
    for line in BufReader::new(File::open(path).expect("the benchmark")).lines() {
        let line = line.expect("UTF-8");
        let f: Vec<&str> = line.split('\t').collect();
        if f[0] == "pool" {
            pool.entry(f[1].to_owned()).or_default().push((
                f[2].to_owned(),
                Name::parse(f[3], Kind::Person),
                f[3].to_owned(),
            ));
        } else {
            let name = Name::parse(f[4], Kind::Person);
            cases.push(Case {
                seed: f[1].into(),
                id: f[2].into(),
                class: format!("{} {}", f[0], f[3]),
                query: f[4].into(),
                name,
            });
        }
    }
    (pool, cases)
}

struct Scan {
    expected: Option<(Features, f32)>,
    other: Option<(Features, f32, String)>,
}

fn scan(model: &Model, pool: &Pool, case: &Case) -> Scan {
    let mut scan = Scan { expected: None, other: None };
    for (id, name, text) in &pool[&case.seed] {
        let features = align(&case.name, name).features(&case.name, name);
        let logit = model.logit(&features);
        if *id == case.id {
            if scan.expected.as_ref().is_none_or(|(_, best)| logit > *best) {
                scan.expected = Some((features, logit));
            }
        } else if scan.other.as_ref().is_none_or(|(_, best, _)| logit > *best) {
            scan.other = Some((features, logit, text.clone()));
        }
    }
    scan
}

#[derive(Clone, Copy)]
struct Sample {
    terms: [f32; FEATURES],
    label: f32,
    weight: f32,
}

/// Not fitted: the negatives of the benchmark have no comma, which would show as another order and another spelling.
const FIXED: [Option<f32>; FEATURES] = [None, None, None, None, Some(-0.05), Some(-0.3), Some(-0.05), None];

fn fit(samples: Vec<Sample>, start: &Model) -> Model {
    let mut model = start.clone();
    let total: f32 = samples.iter().map(|sample| sample.weight).sum();
    let (mut velocity, mut velocity_c) = ([0.0f32; FEATURES], 0.0f32);
    for step in 0..6000 {
        let (mut gradient, mut constant) = ([0.0f32; FEATURES], 0.0f32);
        for sample in &samples {
            let logit = model.constant + model.weights.iter().zip(sample.terms).map(|(w, t)| w * t).sum::<f32>();
            let error = (model.probability(logit) - sample.label) * sample.weight / total;
            constant += error;
            gradient.iter_mut().zip(sample.terms).for_each(|(g, t)| *g += error * t);
        }
        let rate = if step < 3000 { 0.5 } else { 0.15 };
        velocity_c = 0.9 * velocity_c - rate * constant;
        model.constant = (model.constant + velocity_c).min(7.0);
        for i in 0..FEATURES {
            velocity[i] = 0.9 * velocity[i] - rate * (gradient[i] + 0.0005 * model.weights[i]);
            model.weights[i] = (model.weights[i] + velocity[i]).clamp(-12.0, -0.05);
            if let Some(fixed) = FIXED[i] {
                model.weights[i] = fixed;
            }
        }
    }
    model
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let pairs = pairs(&arguments.next().expect("PAIRS.csv"));
    let bench = arguments.next().filter(|path| path != "-").map(|path| benchmark(&path));
    let options: Vec<String> = arguments.collect();
    let has = |name: &str| options.iter().any(|option| option == name);
    let mut model = Model::default();
    if has("fit") {
        for _ in 0..2 {
            let of_bench = bench_samples(&model, bench.as_ref());
            model = fit(pair_samples(&pairs, |_| true).chain(of_bench.iter().copied()).collect(), &model);
        }
        println!("{model:?}");
        cross_validate(&model, &pairs, &bench_samples(&model, bench.as_ref()));
    }
    report_pairs(&model, &pairs, has("show"));
    if let Some((pool, cases)) = &bench {
        report_bench(&model, pool, cases, has("show"));
    }
}

fn pair_samples(pairs: &[Pair], keep: impl Fn(usize) -> bool) -> impl Iterator<Item = Sample> {
    let kept = pairs.iter().enumerate().filter(move |(at, _)| keep(*at));
    kept.map(|(_, pair)| Sample { terms: pair.features.terms(), label: f32::from(u8::from(pair.matches)), weight: 1.0 })
}

/// The cases weigh as much as this many labelled pairs; a miss is worse than a false alarm.
const POSITIVES: f32 = 400.0;
const NEGATIVES: f32 = 250.0;

fn bench_samples(model: &Model, bench: Option<&(Pool, Vec<Case>)>) -> Vec<Sample> {
    let Some((pool, cases)) = bench else { return Vec::new() };
    let positives = cases.iter().filter(|case| !case.id.is_empty()).count() as f32;
    let negatives = cases.len() as f32 - positives;
    let sample = |case| {
        let scan = scan(model, pool, case);
        if let Some((features, _)) = scan.expected {
            return Some(Sample { terms: features.terms(), label: 1.0, weight: POSITIVES / positives });
        }
        scan.other.map(|(features, ..)| Sample { terms: features.terms(), label: 0.0, weight: NEGATIVES / negatives })
    };
    cases.iter().filter_map(sample).collect()
}

fn cross_validate(model: &Model, pairs: &[Pair], bench: &[Sample]) {
    let (mut tp, mut fp, mut fnn) = (0, 0, 0);
    for fold in 0..5 {
        let samples = pair_samples(pairs, |at| at % 5 != fold).chain(bench.iter().copied());
        let fitted = fit(samples.collect(), model);
        for (_, pair) in pairs.iter().enumerate().filter(|(at, _)| at % 5 == fold) {
            let says = fitted.probability(fitted.logit(&pair.features)) >= 0.7;
            tp += u32::from(says && pair.matches);
            fp += u32::from(says && !pair.matches);
            fnn += u32::from(!says && pair.matches);
        }
    }
    println!("cross-validated F1 at 0.7: {:.3}", f1(tp, fp, fnn));
}

fn f1(tp: u32, fp: u32, fnn: u32) -> f32 {
    2.0 * tp as f32 / (2 * tp + fp + fnn) as f32
}

fn report_pairs(model: &Model, pairs: &[Pair], show: bool) {
    for threshold in [0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9] {
        let count = |says: bool, is: bool| {
            pairs
                .iter()
                .filter(|p| (model.probability(model.logit(&p.features)) >= threshold) == says && p.matches == is)
                .count() as u32
        };
        let (tp, fp, fnn) = (count(true, true), count(true, false), count(false, true));
        println!(
            "{threshold:.2}: P {:.3} R {:.3} F1 {:.3}",
            tp as f32 / (tp + fp) as f32,
            tp as f32 / (tp + fnn) as f32,
            f1(tp, fp, fnn)
        );
    }
    if show {
        for pair in pairs {
            let score = model.probability(model.logit(&pair.features));
            if (score >= 0.7) != pair.matches {
                let f = pair.features;
                println!(
                    "{} {score:.3} {:?} C {:.2} X {:.2} M {:.2} i {} {}",
                    if pair.matches { "MISS" } else { "FALSE" },
                    pair.names,
                    f.conflict,
                    f.missing,
                    f.matched,
                    f.initials,
                    pair.group
                );
            }
        }
    }
}

fn report_bench(model: &Model, pool: &Pool, cases: &[Case], show: bool) {
    let limit = Model::logit_of(0.7);
    let mut classes: BTreeMap<&str, [u32; 3]> = BTreeMap::new();
    for case in cases {
        let scan = scan(model, pool, case);
        let other = scan.other.as_ref().map_or(f32::MIN, |(_, logit, _)| *logit);
        let row = classes.entry(&case.class).or_default();
        row[0] += 1;
        if let Some((features, logit)) = scan.expected {
            row[1] += u32::from(logit >= limit);
            row[2] += u32::from(logit >= limit && logit >= other);
            if show && logit < limit && case.seed == "0" {
                println!(
                    "MISS {} {:?} C {:.2} X {:.2} M {:.2} i {}",
                    case.class, case.query, features.conflict, features.missing, features.matched, features.initials
                );
            }
        } else {
            row[1] += u32::from(other >= limit);
            row[2] += u32::from(other >= limit);
            if show && other >= limit && case.seed == "0" {
                let (f, _, text) = scan.other.expect("scored");
                println!(
                    "FALSE {} {:?} ~ {text:?} C {:.2} X {:.2} M {:.2} i {}",
                    case.class, case.query, f.conflict, f.missing, f.matched, f.initials
                );
            }
        }
    }
    let mut sums: BTreeMap<&str, [u32; 3]> = BTreeMap::new();
    for (class, row) in &classes {
        println!(
            "{class:<24} {:>6} {:.3} strict {:.3}",
            row[0],
            row[1] as f32 / row[0] as f32,
            row[2] as f32 / row[0] as f32
        );
        let sum = sums.entry(&class[..3]).or_default();
        (0..3).for_each(|i| sum[i] += row[i]);
    }
    for (class, row) in sums {
        println!("{class}: {:.4} strict {:.4}", row[1] as f32 / row[0] as f32, row[2] as f32 / row[0] as f32);
    }
}
