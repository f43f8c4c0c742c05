//! Every small store for Docker's local lookup, see `small.rs`. With a number N, only
//! every N-th.

use std::process::ExitCode;

use layerwise_fuzz::small::{STORES, check_every};

fn main() -> ExitCode {
    let step = match std::env::args().nth(1).map(|number| number.parse()) {
        None => 1,
        Some(Ok(step)) if step > 0 => step,
        Some(_) => {
            eprintln!("error: expected a whole number above 0");
            return ExitCode::from(2);
        }
    };
    match check_every(step) {
        Ok(seen) => {
            println!("{seen:?} of {STORES}: the component, the library and the rules agree");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("error: {what}");
            ExitCode::FAILURE
        }
    }
}
