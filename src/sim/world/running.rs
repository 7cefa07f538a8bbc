//! What a call is in: an application of the dialplan, and what it waits for.

use super::digits::Digits;
use std::collections::VecDeque;

/// Where a call goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub(crate) plan: VecDeque<Step>,
    /// No dialplan knows the number.
    pub(crate) nowhere: bool,
}

/// An application and its argument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) app: String,
    pub(crate) data: String,
}

impl Step {
    pub(crate) fn new(app: &str, data: impl Into<String>) -> Self {
        Self { app: app.to_owned(), data: data.into() }
    }
}

/// An application in the middle.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) key: u64,
    pub(crate) step: Step,
    /// `Event-UUID` of the message; drawn when it is needed for what the dialplan executes.
    pub(crate) uuid: Option<String>,
    /// A message has brought it.
    pub(crate) sent: bool,
    pub(crate) locked: bool,
    pub(crate) began: u64,
    /// When it ends by itself, or goes on to the next of its steps.
    pub(crate) due: Option<u64>,
    /// The same from the moment it stood still.
    pub(crate) left: Option<u64>,
    pub(crate) doing: Doing,
}

/// What an application waits for.
#[derive(Debug, Clone)]
pub(crate) enum Doing {
    /// Nothing; it ends before anybody looks.
    Begins,
    /// Messages. It may be given up with this cause.
    Parks(String),
    /// The end of a file.
    Plays,
    /// Keys.
    Asks(Box<Digits>),
    /// The end of a recording: at that moment, or after silence of so many µs.
    Records { limit: Option<u64>, silence: Option<u64> },
    /// Time.
    Sleeps,
    /// The end of the member's seat.
    Confers,
    /// The other side, once it is there.
    Bridges {
        established: bool,
        /// How the call ends that is not there yet.
        fate: String,
    },
}

/// What came of beginning an application.
pub(crate) enum Begun {
    Over,
    /// It goes on, until something happens or so many µs have passed.
    Goes(Doing, Option<u64>),
}
