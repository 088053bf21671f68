//! Exit codes. They are part of the interface: scripts rely on them.

use std::fmt;
use std::process::ExitCode;

use remuda_chain::LedgerError;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did not work, and the message says why.
    Failed = 1,
    /// Something that was asked for does not exist.
    NotFound = 3,
    /// The network, or a part of it, cannot be reached or is busy; a retry may help.
    Unavailable = 4,
    /// A check ran and its answer is no: a receipt does not hold, a doctor found an error.
    Refuted = 5,
    /// Something local is in the way: a taken port, a full disk, a second instance.
    Local = 6,
}

/// The text of `remuda --help` about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  it worked
  1  it did not work, and the message says why
  2  the arguments are wrong
  3  something that was asked for does not exist
  4  the network cannot be reached or is busy; a retry may help
  5  a check ran and its answer is no (a receipt does not hold, the doctor found an error)
  6  something local is in the way (a taken port, a full disk, a second instance)
  130  interrupted";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with the code it ends the program with.
#[derive(Debug)]
pub(crate) struct Coded {
    /// The code.
    pub(crate) exit: Exit,
    /// The message.
    pub(crate) message: String,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Coded {}

/// An error with its exit code.
pub(crate) fn coded(exit: Exit, message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Coded { exit, message: message.into() })
}

/// The exit code of an error: that of the first cause that has one.
pub(crate) fn code_of(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Coded>().map(|coded| coded.exit))
        .unwrap_or(Exit::Failed)
}

/// The stable name of an error: that of the ledger's refusal, where there is one.
pub(crate) fn name_of(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| cause.downcast_ref::<LedgerError>().map(LedgerError::code))
}
