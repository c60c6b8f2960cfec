//! The documents: every command in them runs, every link leads somewhere, and what they list is what there is.
//!
//! A block marked `sh` is run by bash, in a folder of its own, against the program. The README's first block comes first for
//! every document. A block may say `sh not run: REASON`, or `sh needs: TOOL`, which skips it if the tool is not installed
//! (an error with KIRA_TEST_TOOLS=required, which CI sets).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::program::{Program, Setup, wait_until};
use crate::harness::reserved_port::ReservedPort;

const README: &str = "README.md";
/// The documents of the repository, beside those of `docs/`.
const DOCUMENTS: &[&str] = &[
    README,
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "helm/kira-users/README.md",
    "migration/README.md",
    "helm/tests/README.md",
];
/// The most lines of the README.
const README_LINES: usize = 150;
/// What a block may need, with a command that succeeds where it is there.
const TOOLS: &[(&str, &str)] =
    &[("buf", "command -v buf"), ("python with grpc_tools", "python3 -c 'import grpc_tools'")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap_or_else(|error| panic!("{document}: {error}"))
}

fn documents() -> Vec<String> {
    let mut documents: Vec<String> = DOCUMENTS.iter().map(|name| (*name).to_owned()).collect();
    let pages = fs::read_dir(root().join("docs")).expect("a folder of documents");
    let pages = pages.map(|page| page.expect("a page").file_name().into_string().expect("UTF-8"));
    documents.extend(pages.filter(|page| page.ends_with(".md")).map(|page| format!("docs/{page}")));
    documents.sort();
    documents
}

/// A fenced block.
struct Block {
    document: String,
    line: usize,
    /// The words behind the fence.
    info: String,
    text: String,
}

impl Block {
    fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }

    /// Why the block is not run.
    fn excuse(&self) -> Option<&str> {
        self.info.split_once("not run:").map(|(_, reason)| reason.trim())
    }

    /// The tool that the block cannot run without.
    fn needs(&self) -> Option<&str> {
        self.info.split_once("needs:").map(|(_, tool)| tool.trim())
    }

    fn is_commands(&self) -> bool {
        ["sh", "bash", "shell", "console", "zsh"].contains(&self.language())
    }
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in read(document).lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let (document, info) = (document.to_owned(), info.to_owned());
                open = Some(Block { document, line: index + 1, info, text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{document}: a block does not end");
    blocks
}

/// The text outside of fenced blocks.
fn prose(document: &str) -> String {
    let text = read(document);
    let outside = text.split("\n```").step_by(2);
    outside.collect::<Vec<_>>().join("\n")
}

/// A folder like a checkout after a release build, with a running program.
struct Checkout {
    setup: Setup,
    program: Program,
    /// For the receiver of webhooks that a document starts.
    receiver: ReservedPort,
}

impl Checkout {
    fn new() -> Self {
        let mut setup = Setup::embedded();
        setup.set("KIRA_SANDBOX_DELAY", "10ms");
        let folder = setup.folder.path();
        for name in ["proto", "tests"] {
            symlink(root().join(name), folder.join(name)).expect("a link");
        }
        let release = folder.join("target/release");
        fs::create_dir_all(&release).expect("a folder");
        symlink(env!("CARGO_BIN_EXE_kira-users"), release.join("kira-users")).expect("a link");
        let program = setup.serve();
        Self { setup, program, receiver: ReservedPort::new() }
    }

    /// Runs the blocks in one shell; gives what they printed.
    fn run(&self, blocks: &[&Block]) -> String {
        let mut script = String::from("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
        for block in blocks {
            let place = format!("{}:{}", block.document, block.line);
            write!(script, "echo '== {place}' >&2\n{}", self.with_addresses(&block.text))
                .expect("a String takes any text");
        }
        let folder = self.setup.folder.path();
        let path = |name: &str| folder.join(name);
        fs::write(path("script"), script).expect("a script");
        let file = |name: &str| File::create(path(name)).expect("a file");
        let child = Command::new("bash")
            .arg("script")
            .current_dir(folder)
            .env("PATH", search_path(folder))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn();
        let mut shell = Shell(child.expect("bash runs"));
        let output = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
        let both = || format!("{}\n{}", output("stdout"), output("stderr"));
        let status = wait_until(|| shell.0.try_wait().expect("a child"), || format!("the commands:\n{}", both()));
        assert!(status.success(), "the last block named here failed:\n{}", both());
        output("stdout")
    }

    /// The block with the addresses of this program, in place of the defaults that it names.
    fn with_addresses(&self, text: &str) -> String {
        let listen = format!("webhook listen --addr {}", self.receiver.addr());
        text.replace("127.0.0.1:8080", &self.program.rest())
            .replace("127.0.0.1:50051", &self.program.grpc())
            .replace("127.0.0.1:9090", &self.program.admin())
            .replace("127.0.0.1:9000", &self.receiver.addr().to_string())
            .replace("webhook listen", &listen)
    }
}

/// A shell with all that it started.
struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0.id())]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// The program, the tools of CI where they are installed, and what the machine has.
fn search_path(checkout: &Path) -> String {
    let inherited = std::env::var("PATH").unwrap_or_default();
    let folders = [checkout.join("target/release"), root().join("target/ci-tools/bin")];
    let folders = folders.iter().map(|folder| folder.display().to_string()).chain([inherited]);
    folders.collect::<Vec<_>>().join(":")
}

/// Whether a tool is installed. A tool that is not known here is a mistake of the document.
fn is_installed(tool: &str) -> bool {
    let (_, command) = TOOLS.iter().find(|(name, _)| *name == tool).unwrap_or_else(|| panic!("what is {tool:?}?"));
    let found = Command::new("bash").args(["-c", command]).env("PATH", search_path(root())).output();
    let found = found.is_ok_and(|output| output.status.success());
    let required = std::env::var("KIRA_TEST_TOOLS").is_ok_and(|value| value == "required");
    assert!(found || !required, "{tool} is not installed");
    found
}

#[test]
fn every_command_in_a_document_runs() {
    let readme = blocks(README);
    let first = readme.iter().find(|block| block.is_commands() && block.excuse().is_none()).expect("a first user");
    for document in documents() {
        let all = blocks(&document);
        let commands = all.iter().filter(|block| block.is_commands() && block.excuse().is_none());
        let runnable: Vec<_> = commands.filter(|block| block.needs().is_none_or(is_installed)).collect();
        if runnable.is_empty() {
            continue;
        }
        let prelude = if document == README { None } else { Some(first) };
        let printed = Checkout::new().run(&prelude.into_iter().chain(runnable).collect::<Vec<_>>());
        assert!(printed.contains(r#""status":"VERIFIED""#), "{document}: the first user is verified:\n{printed}");
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the report of a test run lists what is not run")]
fn a_block_of_commands_is_marked_sh_and_one_that_is_not_run_says_why() {
    for block in documents().iter().flat_map(|document| blocks(document)).filter(Block::is_commands) {
        let place = format!("{}:{}", block.document, block.line);
        assert_eq!(block.language(), "sh", "{place}");
        let known = block.info == "sh" || block.needs().is_some() || block.excuse().is_some();
        assert!(known && block.excuse() != Some(""), "{place}: {:?}", block.info);
        if let Some(reason) = block.excuse() {
            println!("{place} is not run: {reason}");
        }
    }
}

/// The name that a heading has in links, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

fn anchors(document: &str) -> BTreeSet<String> {
    let headings = prose(document);
    headings.lines().filter_map(|line| Some(anchor(line.trim_start_matches('#').strip_prefix(' ')?))).collect()
}

#[test]
fn every_link_of_a_document_leads_to_a_file_and_a_heading() {
    let mut broken = Vec::new();
    for document in documents() {
        let folder = root().join(&document).parent().map(PathBuf::from).unwrap_or_default();
        let text = prose(&document);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("http") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(&document) } else { folder.join(file) };
            let path = path.canonicalize().ok();
            let page = path.as_ref().and_then(|path| path.strip_prefix(root().canonicalize().ok()?).ok()?.to_str());
            match page {
                Some(page) if heading.is_empty() || anchors(page).contains(heading) => {}
                _ => broken.push(format!("{document}: {target}")),
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_file_that_a_document_names_is_there() {
    const FOLDERS: [&str; 10] =
        ["src/", "tests/", "codegen/", "gateway/", "entity/", "migration/", "proto/", "helm/", "docs/", "benches/"];
    let mut missing = Vec::new();
    for document in documents() {
        let text = prose(&document);
        let quoted = text.split('`').skip(1).step_by(2);
        let is_path = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        for name in quoted.filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder))).filter(is_path) {
            if !root().join(name).exists() {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_operators_list_of_metrics_is_that_of_the_alerts() {
    let page = read("docs/operations.md");
    let (_, table) = page.split_once("<!-- metrics:").expect("a table of metrics");
    let (table, _) = table.split_once("<!-- /metrics -->").expect("the end of the table");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let documented: BTreeSet<String> =
        rows.flat_map(|cell| cell.split(", `")).map(|name| name.trim_end_matches('`').to_owned()).collect();
    let known = read("helm/tests/metrics.txt");
    let known: BTreeSet<String> = known
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let name = words.next()?;
            let labels = words.collect::<Vec<_>>().join(",");
            Some(if labels.is_empty() { name.to_owned() } else { format!("{name}{{{labels}}}") })
        })
        .collect();
    assert_eq!(documented, known);
}

#[test]
fn the_readme_is_short() {
    let lines = read(README).lines().count();
    assert!(lines <= README_LINES, "{lines} lines");
}
