//! The formats, and how to tell them apart.

use std::fmt;
use std::str::FromStr;

/// A format of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// OFAC `SDN.CSV` or `CONS_PRIM.CSV`, with `ALT` and `ADD` beside it.
    OfacCsv,
    /// OFAC `SDN_ADVANCED.XML` or `CONS_ADVANCED.XML`.
    OfacXml,
    /// The consolidated list of the United Nations.
    UnXml,
    /// The consolidated list of the European Union, `xmlFullSanctionsList_1_1`.
    EuXml,
    /// The same, `csvFullSanctionsList_1_1`.
    EuCsv,
    /// The UK Sanctions List of the FCDO, `UK-Sanctions-List.csv`.
    UkCsv,
    /// The Consolidated Screening List of the United States.
    CslCsv,
    /// OpenSanctions `targets.simple.csv`.
    OpenSanctionsCsv,
    /// OpenSanctions `entities.ftm.json`: JSON lines.
    OpenSanctionsJson,
    /// A list of one's own as CSV with a header.
    OwnCsv,
    /// A list of one's own as JSON lines.
    OwnJson,
}

const NAMES: [(Format, &str); 11] = [
    (Format::OfacCsv, "ofac_csv"),
    (Format::OfacXml, "ofac_xml"),
    (Format::UnXml, "un_xml"),
    (Format::EuXml, "eu_xml"),
    (Format::EuCsv, "eu_csv"),
    (Format::UkCsv, "uk_csv"),
    (Format::CslCsv, "csl_csv"),
    (Format::OpenSanctionsCsv, "open_sanctions_csv"),
    (Format::OpenSanctionsJson, "open_sanctions_json"),
    (Format::OwnCsv, "own_csv"),
    (Format::OwnJson, "own_json"),
];

impl Format {
    /// All of them.
    pub const ALL: [Self; 11] = {
        let mut all = [Self::OfacCsv; 11];
        let mut at = 0;
        while at < all.len() {
            all[at] = NAMES[at].0;
            at += 1;
        }
        all
    };

    /// Its name in configuration and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(format, _)| *format == self).map_or("", |(_, name)| name)
    }

    /// Tells the format by the first few kilobytes as UTF-8, if they are of one that is known.
    #[must_use]
    pub fn detect(start: &str) -> Option<Self> {
        let has = |text: &str| start.contains(text);
        match start.trim_start().chars().next()? {
            '<' if has("<CONSOLIDATED_LIST") => Some(Self::UnXml),
            '<' if has("ADVANCED_XML") || has("<ReferenceValueSets") || has("<DistinctPart") => Some(Self::OfacXml),
            '<' if has("<sanctionEntity") || has("fsd/export") => Some(Self::EuXml),
            '{' if has("\"schema\"") && has("\"properties\"") => Some(Self::OpenSanctionsJson),
            '{' => Some(Self::OwnJson),
            _ if has("Entity_LogicalId") || has("Entity_EU_ReferenceNumber") => Some(Self::EuCsv),
            _ if has("OFSI Group ID") || has("Unique ID") => Some(Self::UkCsv),
            _ if has("source_list_url") => Some(Self::CslCsv),
            _ if has("birth_date") && has("sanctions") && has("schema") => Some(Self::OpenSanctionsCsv),
            _ if has("-0-") => Some(Self::OfacCsv),
            _ if start.lines().next().is_some_and(|line| line.contains("name") && line.contains("id")) => {
                Some(Self::OwnCsv)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(_, name)| *name == text);
        let known = || NAMES.map(|(_, name)| name).join(", ");
        found.map(|(format, _)| *format).ok_or_else(|| format!("unknown format; the formats are {}", known()))
    }
}
