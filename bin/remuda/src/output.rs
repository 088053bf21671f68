//! The one place that writes results to the terminal: text for people, JSON for scripts.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::Write;

use serde::Serialize;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON document a result, one a line for streams of events.
    Json,
}

impl Output {
    /// The form that `--json` asks for.
    pub(crate) const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }

    /// Writes a result: `value` as JSON, or `text` for people.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        match self {
            Self::Text => line(&text()),
            Self::Json => line(&to_json(value)),
        }
    }

    /// Writes a line that only people need, to standard error.
    pub(crate) fn note(self, text: &str) {
        if self == Self::Text {
            eprintln!("{text}");
        }
    }

    /// Reports an error; `code` is its stable name, where it has one.
    pub(crate) fn error(self, error: &anyhow::Error, exit: u8, code: Option<&str>) {
        match self {
            Self::Text => eprintln!("error: {error:#}"),
            Self::Json => {
                let value = serde_json::json!({
                    "error": { "message": format!("{error:#}"), "exit_code": exit, "code": code }
                });
                eprintln!("{value}");
            }
        }
    }
}

/// Writes text as it comes, without a line's end.
pub(crate) fn piece(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A closed pipe ends the reader's interest, not our work.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}
