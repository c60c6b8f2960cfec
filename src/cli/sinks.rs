//! `sink list|dead-letters|retry|forget`.

use serde_json::{Value, json};

use super::Failure;
use super::arguments::SinkCommand;
use super::output::{print_line, table, time};
use crate::app::Resources;
use crate::store::{DeadLetter, SinkState};

pub(super) async fn execute(command: SinkCommand, Resources { store, env, .. }: Resources) -> Result<(), Failure> {
    match command {
        SinkCommand::List { format } => {
            let sinks = store.sinks().await?;
            let age = |sink: &SinkState| sink.oldest.map_or(0, |oldest| (env.now() - oldest).num_seconds().max(0));
            print_line(if format.json { list_json(&sinks, age).to_string() } else { list_text(&sinks, age) })?;
        }
        SinkCommand::DeadLetters { sink, after, limit, format } => {
            let letters = store.list_dead_letters(&sink, after, limit).await?;
            print_line(if format.json { letters_json(&letters).to_string() } else { letters_text(&letters) })?;
        }
        SinkCommand::Retry { sink, event, all: _ } => match store.retry_dead_letters(&sink, event).await? {
            0 => return Err(format!("{sink} has no such dead letter that is not retried already").into()),
            count => print_line(format_args!("{count} of the dead letters are published again."))?,
        },
        SinkCommand::Forget { sink } => {
            if !store.forget_sink(&sink).await? {
                return Err(format!("there is no sink {sink}").into());
            }
            print_line(format_args!("The cursor and the dead letters of {sink} are deleted."))?;
        }
    }
    Ok(())
}

fn list_json(sinks: &[SinkState], age: impl Fn(&SinkState) -> i64) -> Value {
    let sink = |sink: &SinkState| {
        json!({
            "sink": sink.name,
            "position": sink.position,
            "lag": sink.lag,
            "lag_age_seconds": age(sink),
            "dead_letters": sink.dead_letters,
        })
    };
    sinks.iter().map(sink).collect()
}

fn list_text(sinks: &[SinkState], age: impl Fn(&SinkState) -> i64) -> String {
    if sinks.is_empty() {
        return "No sink has ever run.".to_owned();
    }
    let mut rows = vec![["SINK", "POSITION", "LAG", "SECONDS BEHIND", "DEAD LETTERS"].map(str::to_owned).to_vec()];
    rows.extend(sinks.iter().map(|sink| {
        let numbers = [sink.position.to_string(), sink.lag.to_string(), age(sink).to_string()];
        [vec![sink.name.clone()], numbers.to_vec(), vec![sink.dead_letters.to_string()]].concat()
    }));
    table(&rows)
}

fn letters_json(letters: &[DeadLetter]) -> Value {
    let letter = |letter: &DeadLetter| {
        json!({
            "position": letter.position,
            "event_id": letter.event_id,
            "refused_at": time(letter.refused_at),
            "is_retried": letter.is_retried,
            "reason": letter.reason,
            "message": letter.message,
        })
    };
    letters.iter().map(letter).collect()
}

fn letters_text(letters: &[DeadLetter]) -> String {
    if letters.is_empty() {
        return "There is no dead letter.".to_owned();
    }
    let mut rows = vec![["POSITION", "EVENT ID", "KIND", "REFUSED AT", "REASON"].map(str::to_owned).to_vec()];
    rows.extend(letters.iter().map(|letter| {
        let reason =
            if letter.is_retried { format!("{} (is published again)", letter.reason) } else { letter.reason.clone() };
        let event = [letter.position.to_string(), letter.event_id.to_string(), letter.kind.clone()];
        [event.to_vec(), vec![time(letter.refused_at), reason]].concat()
    }));
    table(&rows)
}
