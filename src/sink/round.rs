//! One batch of messages: in flight at once, but of each user one at a time.

use std::collections::HashMap;
use std::time::Duration;

use super::broker::{Broker, Failure};
use super::message::Message;

/// How long a broker may take to confirm the messages that are in flight.
pub(super) const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// A message that the broker does not take is published this often before it is a dead letter.
const ATTEMPTS: u32 = 5;

/// What has become of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The broker has confirmed it.
    Published,
    /// The broker has refused it for good; what it said.
    Dead(String),
    /// Neither: it is published again.
    Open,
}

/// What has become of a batch.
#[derive(Debug)]
pub(super) struct Published {
    /// Of each message.
    pub(super) outcomes: Vec<Outcome>,
    /// Why messages are open, if a failure is the reason.
    pub(super) failure: Option<Failure>,
}

/// How often the broker has refused messages that it may yet take, by their positions.
pub(super) type Refusals = HashMap<i64, u32>;

/// Publishes a batch. The next message of a user is sent when the one before is confirmed, so that a user's order does not
/// depend on what a broker does when it fails in the middle. After the first failure nothing more is sent. `goes_on` says
/// whether there is time for [`CONFIRM_TIMEOUT`].
pub(super) async fn publish(
    broker: &dyn Broker,
    messages: &[Message],
    refusals: &mut Refusals,
    goes_on: impl Fn() -> bool,
) -> Published {
    let mut outcomes = vec![Outcome::Open; messages.len()];
    let mut failure = None;
    for wave in waves(messages) {
        if !goes_on() {
            break;
        }
        let sent: Vec<Message> = wave.iter().map(|index| messages[*index].clone()).collect();
        let confirmed = tokio::time::timeout(CONFIRM_TIMEOUT, broker.publish(&sent)).await;
        let Ok(results) = confirmed else {
            failure = Some(Failure::Unavailable(format!("no confirmation in {CONFIRM_TIMEOUT:?}")));
            break;
        };
        for (index, result) in wave.into_iter().zip(results) {
            let Err(error) = result else {
                refusals.remove(&messages[index].position);
                outcomes[index] = Outcome::Published;
                continue;
            };
            if let Some(reason) = final_reason(&error, messages[index].position, refusals) {
                outcomes[index] = Outcome::Dead(reason);
            } else {
                failure.get_or_insert(error);
            }
        }
        if failure.is_some() {
            break;
        }
    }
    Published { outcomes, failure }
}

/// Why a message is a dead letter, if it is one now.
fn final_reason(error: &Failure, position: i64, refusals: &mut Refusals) -> Option<String> {
    match error {
        Failure::Unavailable(_) => None,
        Failure::RefusedForGood(reason) => Some(reason.clone()),
        Failure::Refused(reason) => {
            let count = refusals.entry(position).or_default();
            *count += 1;
            (*count >= ATTEMPTS).then(|| {
                refusals.remove(&position);
                reason.clone()
            })
        }
    }
}

/// The indexes of the messages that may be in flight together, group after group.
fn waves(messages: &[Message]) -> Vec<Vec<usize>> {
    let mut sent = HashMap::new();
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let number = sent.entry(message.user_id).or_insert(0);
        match waves.get_mut(*number) {
            Some(wave) => wave.push(index),
            // The number of a user rises by one, so that it is at most that of a new wave.
            None => waves.push(vec![index]),
        }
        *number += 1;
    }
    waves
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use parking_lot::Mutex;
    use serde_json::Value;
    use uuid::Uuid;

    use super::super::broker::Publishing;
    use super::*;

    /// A broker that notes what is sent at once, and answers from a list: what is missing in it is taken.
    #[derive(Default)]
    struct Fake {
        sent: Mutex<Vec<Vec<i64>>>,
        answers: Mutex<VecDeque<Vec<Result<(), Failure>>>>,
    }

    impl Broker for Fake {
        fn publish<'a>(&'a self, messages: &'a [Message]) -> Publishing<'a> {
            self.sent.lock().push(messages.iter().map(|message| message.position).collect());
            let mut answers = self.answers.lock().pop_front().unwrap_or_default();
            answers.resize(messages.len(), Ok(()));
            Box::pin(std::future::ready(answers))
        }
    }

    fn messages(users: &[u128]) -> Vec<Message> {
        let message = |(index, user): (usize, &u128)| Message {
            position: i64::try_from(index).expect("a small number") + 1,
            id: Uuid::from_u128(1_000 + index as u128),
            client_id: Uuid::nil(),
            user_id: Uuid::from_u128(*user),
            kind: "user.updated".to_owned(),
            event: Value::Null,
        };
        users.iter().enumerate().map(message).collect()
    }

    async fn run(fake: &Fake, users: &[u128], refusals: &mut Refusals) -> Published {
        publish(fake, &messages(users), refusals, || true).await
    }

    #[tokio::test]
    async fn of_each_user_one_message_is_in_flight() {
        let fake = Fake::default();
        let published = run(&fake, &[1, 1, 2, 1, 2, 3], &mut Refusals::new()).await;
        assert_eq!(*fake.sent.lock(), [vec![1, 3, 6], vec![2, 5], vec![4]]);
        assert_eq!(published.outcomes, vec![Outcome::Published; 6]);
    }

    #[tokio::test]
    async fn behind_a_failure_nothing_is_sent() {
        let fake = Fake::default();
        let down = Failure::Unavailable("down".to_owned());
        fake.answers.lock().push_back(vec![Ok(()), Err(down.clone())]);
        let published = run(&fake, &[1, 2, 1], &mut Refusals::new()).await;
        assert_eq!(*fake.sent.lock(), [vec![1, 2]]);
        assert_eq!(published.outcomes, [Outcome::Published, Outcome::Open, Outcome::Open]);
        assert_eq!(published.failure, Some(down));
    }

    #[tokio::test]
    async fn a_message_that_is_refused_for_good_does_not_hold_up_the_others() {
        let fake = Fake::default();
        fake.answers.lock().push_back(vec![Err(Failure::RefusedForGood("too large".to_owned()))]);
        let published = run(&fake, &[1, 2, 1], &mut Refusals::new()).await;
        let dead = Outcome::Dead("too large".to_owned());
        assert_eq!(published.outcomes, [dead, Outcome::Published, Outcome::Published]);
        assert_eq!(published.failure, None);
    }

    #[tokio::test]
    async fn a_message_that_is_refused_again_and_again_is_a_dead_letter_in_the_end() {
        let (fake, mut refusals) = (Fake::default(), Refusals::new());
        let refused = Failure::Refused("no queue takes it".to_owned());
        for attempt in 1..=ATTEMPTS {
            fake.answers.lock().push_back(vec![Err(refused.clone())]);
            let published = run(&fake, &[1, 1], &mut refusals).await;
            let is_dead = attempt == ATTEMPTS;
            assert_eq!(matches!(published.outcomes[0], Outcome::Dead(_)), is_dead, "{attempt}");
            assert_eq!(published.outcomes[1] == Outcome::Published, is_dead, "{attempt}");
            assert_eq!(published.failure.is_none(), is_dead, "{attempt}");
        }
        assert!(refusals.is_empty());
    }

    #[tokio::test]
    async fn without_time_left_nothing_is_sent() {
        let fake = Fake::default();
        let published = publish(&fake, &messages(&[1]), &mut Refusals::new(), || false).await;
        assert!(fake.sent.lock().is_empty() && published.failure.is_none());
        assert_eq!(published.outcomes, [Outcome::Open]);
    }
}
