//! Playing a transcript again: the same calls in fresh instances, whose imports
//! are answered out of it.

use std::collections::VecDeque;
use std::sync::Arc;

use layerwise_conformance::{Case, Report};
use serde::de::Error as _;
use serde_json::Value;
use wasmtime::component::{InstancePre, Linker, Val};

use crate::dynamic::{Dynamic, Failed};
use crate::engine::Engine;
use crate::error::Error;
use crate::imports::State;
use crate::instance::{Instance, SessionLimits};
use crate::signatures::{Signature, Signatures};
use crate::transcript::{self, Call, Import, SCHEMA, Step, Table, Transcript, whole};
use crate::values::{Handles, Names, Written, read};

/// Plays a transcript and compares what the component answers and asks with what
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
    let signatures = Arc::new(Signatures::of(engine.pre.component()));
    if transcript.component != signatures.component() {
        let (then, now) = (&transcript.component, signatures.component());
        let message = format!("it was recorded with {then}, and this component is {now}");
        return Err(serde_json::Error::custom(message));
    }
    let pre = link(engine, &signatures).map_err(serde_json::Error::custom)?;
    let mut report = Report::default();
    let mut strings = Table::new(&transcript.strings, text.len());
    for instance in &transcript.instances {
        // All are read before the first is played, and one at a time is kept.
        for step in &instance.calls {
            serde_json::from_str::<Step>(step.get())?;
        }
        let steps = instance.calls.iter();
        report.case(&instance.name, |case| {
            let limits = SessionLimits::default();
            match Instance::playing(engine, &pre, Player::default(), limits) {
                Ok(instance) => {
                    let mut play = Dynamic::new(instance, &signatures);
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

fn step(
    play: &mut Dynamic<'_>,
    step: Step,
    strings: &mut Table<'_>,
    case: &mut Case<'_>,
) -> Result<(), Differs> {
    match step {
        Step::Drop(transcript::Drop { drop }) => match play.drop_resource(drop) {
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

fn play_call(play: &mut Dynamic<'_>, call: Call, case: &mut Case<'_>) -> Result<(), Differs> {
    if let Some(player) = play.instance().player() {
        player.coming = call.imports.into();
    }
    let answer = play.call(&call.call, &call.args);
    if let Some(player) = play.instance().player() {
        if let Some(difference) = player.difference.take() {
            let Difference {
                place,
                expected,
                actual,
            } = difference;
            return differ_at(case, &format!("{}: {place}", call.call), expected, actual);
        }
        if let Some(import) = player.coming.front() {
            let name = import.call.clone();
            let answered = "the call ended without it";
            return differ(case, &format!("{}: import", call.call), &name, answered);
        }
    }
    match (answer, call.stopped) {
        (Ok(answer), None) => match first(call.result.as_ref(), answer.as_ref()) {
            None => Ok(()),
            Some((path, expected, actual)) => {
                let place = format!("{}: result{path}", call.call);
                differ_at(case, &place, expected, actual)
            }
        },
        (Err(Failed::Host(Error::Stopped { .. })), Some(_)) => Ok(()),
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

/// Answers the imports of one instance out of a transcript.
#[derive(Default)]
pub struct Player {
    coming: VecDeque<Import>,
    difference: Option<Difference>,
}

/// Where a replay departs from its transcript.
struct Difference {
    place: String,
    expected: String,
    actual: String,
}

impl Player {
    /// The answer to a call, if it is the one that comes next.
    fn answer(
        &mut self,
        name: &str,
        signature: &Signature,
        args: &[Val],
    ) -> Result<Option<Val>, Difference> {
        let differs = |place: &str, expected: &str, actual: String| Difference {
            place: place.to_owned(),
            expected: expected.to_owned(),
            actual,
        };
        let Some(import) = self.coming.pop_front() else {
            return Err(differs(
                "import",
                "none is called any more",
                name.to_owned(),
            ));
        };
        if import.call != name {
            return Err(differs("import", &import.call, name.to_owned()));
        }
        let handles = Handles::default();
        let written: Result<Vec<Value>, _> = args
            .iter()
            .map(|value| {
                serde_json::to_value(Written {
                    value,
                    handles: &handles,
                    strings: None,
                })
            })
            .collect();
        let args = written.map_err(|error| differs(name, "arguments", error.to_string()))?;
        let then = Value::Array(import.args);
        if let Some((path, expected, actual)) = first(Some(&then), Some(&Value::Array(args))) {
            return Err(Difference {
                place: format!("{name}: args{path}"),
                expected,
                actual,
            });
        }
        match (&signature.result, &import.result) {
            (None, None) => Ok(None),
            (Some(ty), Some(result)) => read(result, ty, Names::Contract, &handles)
                .map(Some)
                .map_err(|unfit| differs(name, "an answer of its type", unfit.to_string())),
            (Some(_), None) => Err(differs(name, "an answer", "none is recorded".to_owned())),
            (None, Some(_)) => Err(differs(name, "no answer", "one is recorded".to_owned())),
        }
    }
}

/// A linker whose imports are all answered by the instance's player.
fn link(engine: &Engine, signatures: &Arc<Signatures>) -> wasmtime::Result<InstancePre<State>> {
    let mut linker: Linker<State> = Linker::new(engine.pre.engine());
    let imports = signatures.iter().filter(|(_, function)| function.imported);
    for (name, signature) in imports {
        let (name, all) = (name.to_owned(), Arc::clone(signatures));
        let mut interface = linker.instance(&signature.interface)?;
        interface.func_new(&signature.function, move |mut store, _, args, answers| {
            let answer = all.get(&name).zip(store.data_mut().player.as_mut());
            let answer = answer.map(|(signature, player)| {
                let answer = player.answer(&name, signature, args);
                answer.map_err(|difference| player.difference = Some(difference))
            });
            match (answer, answers) {
                (Some(Ok(Some(value))), [answer]) => *answer = value,
                (Some(Ok(None)), []) => {}
                _ => {
                    return Err(wasmtime::format_err!(
                        "the replay departs from its transcript"
                    ));
                }
            }
            Ok(())
        })?;
    }
    linker.instantiate_pre(engine.pre.component())
}

/// The first difference between two values: where, and both sides there.
pub fn first(then: Option<&Value>, now: Option<&Value>) -> Option<(String, String, String)> {
    match (then, now) {
        (Some(Value::Array(then)), Some(Value::Array(now))) => {
            let longest = then.len().max(now.len());
            (0..longest).find_map(|index| {
                let (path, then, now) = first(then.get(index), now.get(index))?;
                Some((format!("[{index}]{path}"), then, now))
            })
        }
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            let names = then
                .keys()
                .chain(now.keys().filter(|name| !then.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let (path, then, now) = first(then.get(name), now.get(name))?;
                Some((format!(".{name}{path}"), then, now))
            })
        }
        _ if then == now => None,
        _ => {
            let shown = |side: Option<&Value>| side.map_or("nothing".to_owned(), Value::to_string);
            Some((String::new(), shown(then), shown(now)))
        }
    }
}
