//! The default provider: simulated outcomes by name, as decisions, section 6 lists them, after a delay.

use std::time::Duration;

use super::case::Case;
use super::provider::{Progress, Provider, ProviderError, ProviderResponse};
use crate::contract::v1;
use crate::domain::verification::{Assurance, Outcome, Reason};
use crate::profile::{Profile, non_empty};

/// How often a case that never gets an answer is asked about.
const NEVER: Duration = Duration::from_secs(60);

/// The sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox {
    delay: Duration,
}

/// What a case gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Accept,
    Reject,
    Review,
    ReviewThenApprove,
    ReviewThenReject,
    Timeout,
}

/// The endings of a name; the longer before those that end them.
const ENDINGS: [(&str, Script); 5] = [
    ("REVIEW-APPROVE", Script::ReviewThenApprove),
    ("REVIEW-REJECT", Script::ReviewThenReject),
    ("REVIEW", Script::Review),
    ("REJECT", Script::Reject),
    ("TIMEOUT", Script::Timeout),
];
/// The numbers of businesses in the live service's sandbox.
const EINS: [(&str, Script); 3] =
    [("111111111", Script::Reject), ("222221006", Script::ReviewThenReject), ("222221005", Script::ReviewThenApprove)];

impl Sandbox {
    /// A sandbox that decides after `delay`; a review is decided after another.
    #[must_use]
    pub const fn new(delay: Duration) -> Self {
        Self { delay }
    }

    fn answer(&self, case: &Case) -> Progress {
        let waited = (case.now - case.started_at).to_std().unwrap_or_default();
        let script = script(&case.profile);
        if script == Script::Timeout {
            return Progress::Pending { poll_after: NEVER };
        }
        if waited < self.delay {
            return Progress::Pending { poll_after: self.delay - waited };
        }
        let review =
            || Outcome::review(Assurance::Simulated, reason("sandbox_review", "The sandbox asks for a review"));
        match script {
            Script::Accept | Script::Timeout => Progress::Decided(Outcome::verified(Assurance::Simulated)),
            Script::Reject => Progress::Decided(rejected()),
            Script::Review => Progress::Decided(review()),
            Script::ReviewThenApprove | Script::ReviewThenReject if !case.in_review || waited < self.delay * 2 => {
                Progress::Provisional { outcome: review(), poll_after: self.delay }
            }
            Script::ReviewThenApprove => Progress::Decided(Outcome::verified(Assurance::Simulated)),
            Script::ReviewThenReject => Progress::Decided(rejected()),
        }
    }
}

#[tonic::async_trait]
impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn verify(&self, case: &Case) -> Result<ProviderResponse, ProviderError> {
        Ok(self.answer(case).into())
    }

    /// It looks into no file.
    fn memory(&self, _: &Case) -> u64 {
        0
    }
}

fn rejected() -> Outcome {
    Outcome::rejected(Assurance::Simulated, reason("sandbox_rejected", "The sandbox rejects users of this name or EIN"))
}

fn reason(code: &str, message: &str) -> Reason {
    Reason::new(code, message)
}

/// What a user gets, by its last name or legal name, or else by its EIN.
fn script(profile: &Profile) -> Script {
    let name = match profile {
        Profile::Individual(user) => non_empty(&user.last_name),
        Profile::Business(user) => non_empty(&user.business_legal_name),
    };
    let name = name.unwrap_or_default().trim_end().to_uppercase();
    let by_name = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, script)| *script);
    by_name.or_else(|| by_ein(profile)).unwrap_or(Script::Accept)
}

fn by_ein(profile: &Profile) -> Option<Script> {
    let (entries, own) = match profile {
        Profile::Individual(user) => (&user.identifying_information, None),
        Profile::Business(user) => (&user.identifying_information, non_empty(&user.ein)),
    };
    let of_entries = entries
        .iter()
        .filter(|entry| entry.r#type() == v1::IdentificationType::Ein)
        .filter_map(|entry| non_empty(&entry.number));
    own.into_iter().chain(of_entries).find_map(|number| {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        EINS.iter().find(|(ein, _)| *ein == digits).map(|(_, script)| *script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn individual(last_name: &str) -> Profile {
        Profile::Individual(v1::Individual { last_name: Some(last_name.to_owned()), ..Default::default() })
    }

    fn business(name: &str, ein: &str) -> Profile {
        Profile::Business(v1::Business {
            business_legal_name: Some(name.to_owned()),
            ein: Some(ein.to_owned()),
            ..Default::default()
        })
    }

    #[test]
    fn the_end_of_a_name_decides_in_any_case() {
        for (name, expected) in [
            ("Doe REJECT", Script::Reject),
            ("doe-reject", Script::Reject),
            ("Review", Script::Review),
            ("DoeTimeout", Script::Timeout),
            ("Doe review-approve", Script::ReviewThenApprove),
            ("Doe Review-Reject", Script::ReviewThenReject),
            ("Reject Doe", Script::Accept),
            ("", Script::Accept),
        ] {
            assert_eq!(script(&individual(name)), expected, "{name}");
            assert_eq!(script(&business(name, "")), expected, "{name}");
        }
    }

    #[test]
    fn an_ein_decides_with_or_without_its_hyphen_and_as_an_entry() {
        for (ein, expected) in [
            ("111111111", Script::Reject),
            ("11-1111111", Script::Reject),
            ("222221006", Script::ReviewThenReject),
            ("222221005", Script::ReviewThenApprove),
            ("222221007", Script::Accept),
        ] {
            assert_eq!(script(&business("Acme", ein)), expected, "{ein}");
        }
        let entry = v1::Identification {
            r#type: Some(v1::IdentificationType::Ein.into()),
            number: Some("111111111".to_owned()),
            ..Default::default()
        };
        let user = v1::Business { identifying_information: vec![entry], ..Default::default() };
        assert_eq!(script(&Profile::Business(user)), Script::Reject);
    }
}
