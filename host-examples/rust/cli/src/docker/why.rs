//! `docker why`: what every step of a Dockerfile would hit, before it is built.
//!
//! The component says what each step asks (`dockerfile`) and whether an image is the
//! result (`docker`); here the Dockerfile, the context and the images are lent to it.

mod args;
mod before;
mod changed;
mod context;
mod earlier;
mod last;
mod lent;
mod made;
mod now;
mod rows;
mod walk;

use super::opened::Opened;
use crate::args::Global;
use crate::failed::Failed;
use crate::reply::{Exit, Reply, Style};
use crate::report::{self, Level};

pub use args::{HELP, WhyArgs};

use context::Context;
use walk::Walk;

/// Goes through the Dockerfile.
pub fn run(global: &Global, args: &WhyArgs, style: Style) -> Result<Reply, Failed> {
    let context = Context::open(args)?;
    let opened = Opened::new(global, &args.session)?;
    let last = last::image(&opened, args, || {
        let mut walk = Walk::new(&opened, &context, args, None)?;
        walk.rows()?;
        Ok(walk.commands())
    })?;
    let rows = Walk::new(&opened, &context, args, last)?.rows()?;
    let report = rows::report(args, &context, &opened, rows);
    let fine = report.steps.iter().all(|step| step.level == Level::Fine);
    let exit = if fine { Exit::Done } else { Exit::Miss };
    report::reply(style, &args.report, exit, &report)
}
