//! What became of the lines: numbers for people, and a file of refusals for programs. No value of a line is in either.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::line::Problem;
use super::target::Answer;

/// How often progress is shown.
const INTERVAL: Duration = Duration::from_secs(1);

/// The lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) already_there: u64,
    pub(super) refused: u64,
    /// Of those that were created or are there, how many have keys that the service does not know.
    pub(super) warned: u64,
}

impl Counts {
    pub(super) const fn lines(&self) -> u64 {
        self.created + self.already_there + self.refused
    }
}

/// A line that was refused, or has unknown keys.
#[derive(Serialize)]
struct Entry<'a> {
    line: u64,
    /// Of the service's answer; none for a line that was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    details: &'a [Detail],
}

/// Where something is wrong, and what.
#[derive(Debug, Deserialize, Serialize)]
struct Detail {
    path: String,
    code: String,
}

/// The parts of an answer that a report has.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parts {
    code: Option<String>,
    details: Vec<Detail>,
    warnings: Vec<Detail>,
}

/// Counts the lines, and writes down those that were refused.
pub(super) struct Report {
    state: Mutex<State>,
    begun: Instant,
    is_shown: bool,
}

struct State {
    counts: Counts,
    entries: Box<dyn Write + Send>,
    shown: Instant,
}

impl Report {
    /// Writes entries to a new file that only its owner can read, or to standard error.
    pub(super) fn open(file: Option<&Path>) -> io::Result<Self> {
        let entries: Box<dyn Write + Send> = match file {
            None => Box::new(io::stderr()),
            Some(file) => {
                let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
                Box::new(io::BufWriter::new(options))
            }
        };
        let now = Instant::now();
        let state = State { counts: Counts::default(), entries, shown: now };
        Ok(Self { state: Mutex::new(state), begun: now, is_shown: io::stderr().is_terminal() })
    }

    /// Notes a line that cannot be sent.
    pub(super) fn broken(&self, line: u64, problem: Problem) -> io::Result<()> {
        let Problem { path, code } = problem;
        let details = [Detail { path: path.into_owned(), code: code.to_owned() }];
        self.note(Some(Entry { line, status: None, code, details: &details }), |counts| counts.refused += 1)
    }

    /// Notes the answer to a line.
    pub(super) fn answered(&self, line: u64, answer: &Answer) -> io::Result<()> {
        let status = Some(answer.status);
        let parts: Parts = serde_json::from_slice(&answer.body).unwrap_or_default();
        let is_good = matches!(answer.status, 200 | 201);
        let (code, details) = match (is_good, parts.warnings.is_empty()) {
            (true, true) => {
                return self.note(None, |counts| count_good(counts, answer.status));
            }
            (true, false) => ("unrecognized_keys", &parts.warnings),
            (false, _) => (parts.code.as_deref().unwrap_or("invalid_request"), &parts.details),
        };
        self.note(Some(Entry { line, status, code, details }), |counts| {
            if is_good {
                count_good(counts, answer.status);
                counts.warned += 1;
            } else {
                counts.refused += 1;
            }
        })
    }

    fn note(&self, entry: Option<Entry<'_>>, count: impl FnOnce(&mut Counts)) -> io::Result<()> {
        let mut state = self.lock();
        count(&mut state.counts);
        if let Some(entry) = entry {
            if self.is_shown {
                write!(io::stderr().lock(), "\r\x1b[K")?;
            }
            let text = serde_json::to_string(&entry).map_err(io::Error::other)?;
            writeln!(state.entries, "{text}")?;
        }
        if self.is_shown && state.shown.elapsed() >= INTERVAL {
            state.shown = Instant::now();
            let Counts { refused, .. } = state.counts;
            let (lines, seconds) = (state.counts.lines(), self.begun.elapsed().as_secs_f64());
            #[expect(clippy::cast_precision_loss, reason = "shown without a fraction")]
            let rate = lines as f64 / seconds;
            write!(io::stderr().lock(), "\r\x1b[K{lines} lines, {rate:.0}/s, {refused} refused")?;
        }
        Ok(())
    }

    /// Ends the report: all entries are written.
    pub(super) fn end(&self) -> io::Result<Counts> {
        let mut state = self.lock();
        if self.is_shown {
            write!(io::stderr().lock(), "\r\x1b[K")?;
        }
        state.entries.flush()?;
        Ok(state.counts)
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count_good(counts: &mut Counts, status: u16) {
    if status == 201 { counts.created += 1 } else { counts.already_there += 1 }
}
