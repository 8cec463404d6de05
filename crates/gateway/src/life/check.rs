//! Whether the arguments of a call that may run are what its tool takes. What is not is refused, before anything runs and
//! before anybody is asked to approve it.

use arguments::Misfit;
use model::call::{Reason, ReasonCode};

use super::decide::Decided;
use crate::gateway::House;
use crate::schemas::Unfit;

/// How much of a tool's name is told, in characters.
const NAME: usize = 200;
/// How much of each fault, in characters.
const FAULT: usize = 240;

/// A call that was decided, whose arguments fit if it may run.
#[derive(Debug)]
pub(super) struct Checked(Decided);

impl Checked {
    /// Whether it may run, at once or once somebody has approved it.
    pub(super) fn may_run(&self) -> bool {
        self.0.ruling.may_run()
    }

    /// What was decided.
    pub(super) fn into_decided(self) -> Decided {
        self.0
    }
}

/// Checks the arguments of a call, unless it is refused as it is: who may not call a tool is not told what it takes.
pub(super) async fn check(house: &House, mut decided: Decided) -> Checked {
    if let (Some(tool), true) =
        (&decided.tool, decided.ruling.may_run() && decided.received.ask().is_tool_call())
        && let Err(unfit) = house.schemas.check(tool, decided.received.arguments()).await
    {
        let reason = reason(&tool.full_name, &unfit);
        decided.deny(reason, None);
    }
    Checked(decided)
}

fn reason(tool: &str, unfit: &Unfit) -> Reason {
    let tool = policy::plain(tool, NAME);
    let sentence = match unfit {
        Unfit::Misfit(Misfit { faults }) => {
            let faults: Vec<_> = faults.iter().map(|fault| policy::plain(fault, FAULT)).collect();
            let which = if faults.is_empty() { String::new() } else { format!(": {}", faults.join("; ")) };
            format!(
                "Denied: the arguments are not what `{tool}` takes{which}. Its `inputSchema` in `tools/list` says what it \
                 takes; nothing was done."
            )
        }
        Unfit::TooLong => format!(
            "Denied: it takes too long to find out whether the arguments are what `{tool}` takes; nothing was done. Send \
             less, or try again in a moment."
        ),
    };
    Reason { code: ReasonCode::InvalidArguments, sentence, missing_key: None, ask: None }
}
