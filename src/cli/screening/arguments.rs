//! Arguments of the commands on lists and names.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kira_screening::list::{Format, PartialDate};
use kira_screening::name::Kind;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ListsCommand {
    /// Read a list and show what is in it and what is damaged
    Status {
        /// The list; of OFAC's CSV the other files are taken from beside it
        file: PathBuf,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Show which entries were added, removed and changed; fails if the list lost half of them
    Diff {
        /// The old version
        old: PathBuf,
        /// The new version
        new: PathBuf,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Measure the matcher on labelled pairs of names
    Evaluate {
        /// CSV with the columns name1, name2, is_match and perhaps schema, class
        #[arg(long, value_name = "FILE")]
        pairs: PathBuf,
        /// The scores from which names count as the same
        #[arg(long, value_delimiter = ',', default_values_t = [0.5, 0.6, 0.7, 0.8, 0.9], value_parser = score)]
        threshold: Vec<f32>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListFormat {
    /// The format, if it cannot be told from the file
    #[arg(long = "format")]
    pub(super) format: Option<Format>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ScreenArguments {
    /// The name; several are aliases of one party
    #[arg(required = true)]
    pub(super) name: Vec<String>,
    /// A list; without one the made-up example is used
    #[arg(long, value_name = "FILE")]
    pub(super) list: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) format: ListFormat,
    /// What the party is
    #[arg(long, value_enum, default_value_t = PartyKind::Person)]
    pub(super) kind: PartyKind,
    /// The date of birth or its part, such as 1961-04-17 or 1961
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(super) birth_date: Option<PartialDate>,
    /// A nationality or country, by code or name
    #[arg(long)]
    pub(super) country: Vec<String>,
    /// The number of a document
    #[arg(long, value_name = "NUMBER")]
    pub(super) document: Vec<String>,
    /// The score from which an entry is shown
    #[arg(long, default_value_t = 0.7, value_parser = score)]
    pub(super) threshold: f32,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum PartyKind {
    Person,
    Organisation,
    Vessel,
    Aircraft,
}

impl From<PartyKind> for Kind {
    fn from(kind: PartyKind) -> Self {
        match kind {
            PartyKind::Person => Self::Person,
            PartyKind::Organisation => Self::Organisation,
            PartyKind::Vessel => Self::Vessel,
            PartyKind::Aircraft => Self::Aircraft,
        }
    }
}

fn date(text: &str) -> Result<PartialDate, String> {
    PartialDate::parse(text).ok_or_else(|| "it is not a date such as 1961-04-17 or 1961".to_owned())
}

fn score(text: &str) -> Result<f32, String> {
    let score = text.parse().ok().filter(|score| (0.01..=0.999).contains(score));
    score.ok_or_else(|| "it is not a number from 0.01 to 0.999".to_owned())
}
