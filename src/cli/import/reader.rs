//! Reads the lines of a file, a bounded number of bytes at a time.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::files::{self, Reference};
use super::line::{self, Line, Problem};

/// The longest line: as long as the body of a request may be by default.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// The bytes of all bodies that are read and not answered.
const IN_FLIGHT: u64 = 128 * 1024 * 1024;
/// What the bytes are counted in.
const UNIT: u64 = 1024;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line to be sent.
pub(super) struct Ready {
    pub(super) line: Line,
    pub(super) files: Vec<Reference>,
    /// Released when the line is answered.
    _bytes: OwnedSemaphorePermit,
}

/// A line of the file, by its number.
pub(super) struct ReadLine {
    pub(super) number: u64,
    pub(super) line: Result<Ready, Problem>,
}

/// Starts to read. The end of the channel is the end of the file, unless its last item is an error.
pub(super) fn start(
    file: Option<PathBuf>,
    client_id: Uuid,
    ahead: usize,
) -> io::Result<Receiver<io::Result<ReadLine>>> {
    let folder = match &file {
        // `lines.jsonl` lies in the current folder.
        Some(file) => {
            file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
        }
        None => PathBuf::from("."),
    };
    let lines: Box<dyn BufRead + Send> = match file {
        Some(file) => Box::new(BufReader::with_capacity(1 << 16, std::fs::File::open(file)?)),
        None => Box::new(BufReader::new(io::stdin())),
    };
    let (sender, receiver) = channel(ahead);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let budget = Arc::new(Semaphore::new(usize::try_from(IN_FLIGHT / UNIT).unwrap_or(Semaphore::MAX_PERMITS)));
        let mut lines = Lines { lines, number: 0 };
        while let Some(read) = lines.next(client_id, &folder, &budget, &runtime).transpose() {
            let is_over = read.is_err();
            // The receiver is gone: the import has failed.
            if sender.blocking_send(read).is_err() || is_over {
                break;
            }
        }
    });
    Ok(receiver)
}

struct Lines {
    lines: Box<dyn BufRead + Send>,
    number: u64,
}

impl Lines {
    /// The next line that is not blank.
    fn next(
        &mut self,
        client_id: Uuid,
        folder: &Path,
        budget: &Arc<Semaphore>,
        runtime: &Handle,
    ) -> io::Result<Option<ReadLine>> {
        loop {
            let mut text = Vec::new();
            let length = self.lines.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut text)?;
            if length == 0 {
                return Ok(None);
            }
            self.number += 1;
            let number = self.number;
            if text.len() as u64 > MAX_LINE {
                self.skip_line()?;
                return Ok(Some(ReadLine { number, line: Err(Problem::new("", "too_big")) }));
            }
            let text = text.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(&text);
            if text.trim_ascii().is_empty() {
                continue;
            }
            let line = line::read(text, client_id).and_then(|line| {
                let files = files::find(&line.body, folder)?;
                let bytes = files::filled_size(&line.body, &files).clamp(UNIT, IN_FLIGHT) / UNIT;
                let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
                let reserved = runtime.block_on(Arc::clone(budget).acquire_many_owned(permits));
                // The semaphore is never closed.
                let _bytes = reserved.map_err(|_| Problem::new("", "too_big"))?;
                Ok(Ready { line, files, _bytes })
            });
            return Ok(Some(ReadLine { number, line }));
        }
    }

    /// Passes over the rest of a line, which may have no end.
    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let piece = self.lines.fill_buf()?;
            let (length, is_end) = match memchr::memchr(b'\n', piece) {
                Some(end) => (end + 1, true),
                None => (piece.len(), piece.is_empty()),
            };
            self.lines.consume(length);
            if is_end {
                return Ok(());
            }
        }
    }
}
