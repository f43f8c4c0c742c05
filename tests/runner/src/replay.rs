//! Playing a transcript again: the same calls in fresh instances, whose imports
//! are answered out of it.

use layerwise_conformance::{Case, Report};
use layerwise_host::dynamic::{CallError, Functions, Session};
use layerwise_host::{Engine, Error, SessionLimits};
use serde::de::Error as _;
use serde_json::Value;

use crate::compare::first;
use crate::player::{Difference, Player};
use crate::transcript::{self, Call, Import, SCHEMA, Step, Table, Transcript, whole};

/// Plays a transcript and compares what the component returns and asks with what
/// it answered and asked then. An instance is a case; it ends at its first
/// difference.
///
/// # Errors
/// When the text is not a transcript of this component.
pub fn replay(engine: &Engine, text: &str) -> Result<Report, serde_json::Error> {
    let transcript: Transcript = serde_json::from_str(text)?;
    if transcript.schema != SCHEMA {
        let message = format!("schema {:?} is not {SCHEMA:?}", transcript.schema);
        return Err(serde_json::Error::custom(message));
    }
    let functions = Functions::of(engine).map_err(serde_json::Error::custom)?;
    if transcript.component != functions.contract() {
        let (then, now) = (&transcript.component, functions.contract());
        let message = format!("it was recorded with {then}, and this component is {now}");
        return Err(serde_json::Error::custom(message));
    }
    let mut report = Report::default();
    let mut strings = Table::new(&transcript.strings, text.len());
    for instance in &transcript.instances {
        // All are read before the first is played, and one at a time is kept.
        for step in &instance.calls {
            serde_json::from_str::<Step>(step.get())?;
        }
        let steps = instance.calls.iter();
        report.case(&instance.name, |case| {
            let player = Player::default();
            match functions.open_with(player.clone(), SessionLimits::default()) {
                Ok(session) => {
                    let mut play = Play { session, player };
                    let mut steps = steps.flat_map(|step| serde_json::from_str(step.get()));
                    // The first difference ends it, and is in the report.
                    let _ = steps.try_for_each(|one| step(&mut play, one, &mut strings, case));
                }
                Err(error) => case.fail("instance", "one", error.to_string()),
            }
        });
    }
    Ok(report)
}

/// Whether a JSON text says that it is a transcript.
pub fn is_transcript(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Tag {
        schema: String,
    }
    serde_json::from_str(text).is_ok_and(|tag: Tag| tag.schema == SCHEMA)
}

/// There was a difference.
struct Differs;

/// An instance, and what answers its imports.
struct Play {
    session: Session,
    player: Player,
}

fn step(
    play: &mut Play,
    step: Step,
    strings: &mut Table<'_>,
    case: &mut Case<'_>,
) -> Result<(), Differs> {
    match step {
        Step::Drop(transcript::Drop { drop }) => match play.session.drop_resource(drop) {
            Ok(()) => Ok(()),
            Err(failed) => differ(case, "drop", "a resource that is there", failed),
        },
        Step::Call(call) => {
            let name = call.call.clone();
            match prepare(call, strings) {
                Ok(call) => play_call(play, call, case),
                Err(message) => differ(case, &name, "a call that can be made", message),
            }
        }
    }
}

/// The call with whole strings.
fn prepare(call: Call, strings: &mut Table<'_>) -> Result<Call, String> {
    strings.next_call();
    let mut imports = Vec::with_capacity(call.imports.len());
    for import in call.imports {
        imports.push(Import {
            args: all(import.args, strings)?,
            result: one(import.result, strings)?,
            call: import.call,
        });
    }
    Ok(Call {
        imports,
        args: all(call.args, strings)?,
        result: one(call.result, strings)?,
        call: call.call,
        stopped: call.stopped,
    })
}

fn all(values: Vec<Value>, strings: &mut Table<'_>) -> Result<Vec<Value>, String> {
    let values = values.into_iter();
    values.map(|value| whole(value, strings)).collect()
}

fn one(value: Option<Value>, strings: &mut Table<'_>) -> Result<Option<Value>, String> {
    value.map(|value| whole(value, strings)).transpose()
}

fn play_call(play: &mut Play, call: Call, case: &mut Case<'_>) -> Result<(), Differs> {
    play.player.begin(call.imports);
    let answer = play.session.call(&call.call, &call.args);
    if let Some(difference) = play.player.end() {
        let Difference {
            place,
            expected,
            actual,
        } = difference;
        return differ_at(case, &format!("{}: {place}", call.call), expected, actual);
    }
    match (answer, call.stopped) {
        (Ok(answer), None) => match first(call.result.as_ref(), answer.as_ref()) {
            None => Ok(()),
            Some((path, expected, actual)) => {
                let place = format!("{}: result{path}", call.call);
                differ_at(case, &place, expected, actual)
            }
        },
        (Err(CallError::Host(Error::Stopped { .. })), Some(_)) => Ok(()),
        (Ok(_), Some(stopped)) => {
            let stopped = format!("the call is stopped ({stopped:?})");
            differ(case, &call.call, &stopped, "an answer")
        }
        (Err(failed), _) => differ(case, &call.call, "an answer", failed),
    }
}

fn differ(
    case: &mut Case<'_>,
    place: &str,
    expected: &str,
    actual: impl ToString,
) -> Result<(), Differs> {
    differ_at(case, place, expected.to_owned(), actual.to_string())
}

fn differ_at(
    case: &mut Case<'_>,
    place: &str,
    expected: String,
    actual: String,
) -> Result<(), Differs> {
    case.fail(place, expected, actual);
    Err(Differs)
}
