//! Commands that read lists and screen names on this machine. They need neither configuration nor database.

mod arguments;
mod print;

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use kira_screening::evaluate::{evaluate, read_pairs, scores};
use kira_screening::index::{Index, Query, Scratch};
use kira_screening::list::{Difference, Files, Format, List, country, diff, read_all};
use kira_screening::score::Facts;

pub(super) use self::arguments::{ListsCommand, ScreenArguments};
use super::Failure;
use super::output::print_line;

/// How much of a file tells its format.
const START: u64 = 16 << 10;

pub(super) fn execute_lists(command: ListsCommand) -> Result<(), Failure> {
    match command {
        ListsCommand::Status { file, format } => {
            let (format, list) = read(&file, format.format)?;
            print_line(print::status(format, &list))?;
        }
        ListsCommand::Diff { old, new, format } => {
            let (_, before) = read(&old, format.format)?;
            let (_, after) = read(&new, format.format)?;
            let difference = diff(&before.entries, &after.entries);
            print_line(print::difference(&difference))?;
            refuse_half(&difference)?;
        }
        ListsCommand::Evaluate { pairs, threshold } => {
            let pairs = read_pairs(open(&pairs)?)?;
            let scores = scores(&pairs);
            let by_threshold = threshold.iter().map(|threshold| (*threshold, evaluate(&pairs, &scores, *threshold)));
            print_line(print::evaluations(&by_threshold.collect::<Vec<_>>()))?;
        }
    }
    Ok(())
}

fn refuse_half(difference: &Difference) -> Result<(), Failure> {
    match difference.shrank_by_half() {
        true => Err("the new list has lost half of its entries or more: is it whole?".into()),
        false => Ok(()),
    }
}

pub(super) fn execute_screen(arguments: ScreenArguments) -> Result<(), Failure> {
    let mut entries = Vec::new();
    for file in &arguments.list {
        entries.extend(read(file, arguments.format.format)?.1.entries);
    }
    if arguments.list.is_empty() {
        entries = List::example().entries;
    }
    let facts = Facts {
        kind: arguments.kind.into(),
        birth: arguments.birth_date,
        countries: arguments.country.iter().map(|name| country(name)).collect(),
        documents: arguments.document,
    };
    let query = Query { names: arguments.name, facts };
    let found = Index::of(&entries).screen(&query, arguments.threshold, &mut Scratch::default());
    let text = if arguments.json { serde_json::to_string_pretty(&found)? } else { print::matches(&found) };
    Ok(print_line(text)?)
}

fn open(path: &Path) -> Result<BufReader<File>, Failure> {
    Ok(BufReader::new(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?))
}

/// Reads a list; its code is the name of its file.
fn read(path: &Path, format: Option<Format>) -> Result<(Format, List), Failure> {
    let format = format.map_or_else(|| detect(path), Ok)?;
    let code = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut files = Files::one(open(path)?);
    if format == Format::OfacCsv {
        files.aliases = beside(path, "alt").map(|path| open(&path)).transpose()?.map(|file| Box::new(file) as _);
        files.addresses = beside(path, "add").map(|path| open(&path)).transpose()?.map(|file| Box::new(file) as _);
    }
    let list = read_all(format, &code, files).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((format, list))
}

fn detect(path: &Path) -> Result<Format, Failure> {
    let mut start = Vec::new();
    open(path)?.take(START).read_to_end(&mut start)?;
    // UTF-16 is told by its letters too, once the zeros between them are gone.
    start.retain(|byte| *byte != 0);
    let unknown = || format!("{}: the format is not known; name it with --format", path.display());
    Format::detect(&String::from_utf8_lossy(&start)).ok_or_else(|| unknown().into())
}

/// `ALT.CSV` beside `SDN.CSV`, `CONS_ALT.CSV` beside `CONS_PRIM.CSV`, in the case of the file.
fn beside(path: &Path, part: &str) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_ascii_lowercase();
    let other = match lower.as_str() {
        "sdn.csv" => format!("{part}.csv"),
        "cons_prim.csv" => format!("cons_{part}.csv"),
        _ => return None,
    };
    let other = if name == lower { other } else { other.to_ascii_uppercase() };
    Some(path.with_file_name(other)).filter(|path| path.is_file())
}
