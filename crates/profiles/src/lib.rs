//! Economies as files: a profile is the TOML of an [`Economy`], checked line by line when it is
//! read, and compared rule by rule with another.
//!
//! The rules themselves, what they mean and what they may be, live in `remuda-ledger`. This
//! crate reads no file: it takes text, and brings along the profiles of `profiles/`.
//!
//! ```
//! let ours = remuda_profiles::builtin("remuda").ok_or("unknown")?.economy()?;
//! assert_eq!(ours.profile, "remuda");
//!
//! let wrong = "profile = \"mine\"\n[token]\nsymbl = \"MINE\"\n";
//! let error = remuda_profiles::parse(wrong).unwrap_err();
//! assert_eq!(error.line, Some(3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builtin;
mod change;
mod difference;
mod place;

use remuda_ledger::{Economy, RuleError};
use thiserror::Error;

pub use builtin::{BUILTIN, Builtin, builtin};
pub use change::with;
pub use difference::{Difference, differences, rules};

/// The longest profile, in bytes.
pub const PROFILE_BYTES_MAX: usize = 256 << 10;

/// Why a text is not a profile.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{reason}", place::describe(*line, path.as_deref()))]
pub struct ProfileError {
    /// The line, from 1, where the text itself is at fault.
    pub line: Option<usize>,
    /// The rule, as in `stake.cooldown`, where a rule is at fault.
    pub path: Option<String>,
    /// What is wrong, and what would be accepted.
    pub reason: String,
}

impl ProfileError {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        if self.path.is_some() { "profile_rule" } else { "profile_text" }
    }
}

/// Reads and checks a profile.
///
/// # Errors
/// [`ProfileError`] with the line and the reason: not TOML, an unknown key, a value of the
/// wrong kind, or a rule that cannot stand.
pub fn parse(text: &str) -> Result<Economy, ProfileError> {
    if text.len() > PROFILE_BYTES_MAX {
        let reason = format!("the profile has more than {PROFILE_BYTES_MAX} bytes");
        return Err(ProfileError { line: None, path: None, reason });
    }
    let economy: Economy = toml::from_str(text).map_err(|error| malformed(text, &error))?;
    economy.validate().map_err(|error| broken(text, error))?;
    Ok(economy)
}

fn malformed(text: &str, error: &toml::de::Error) -> ProfileError {
    let line = error.span().map(|span| place::line_of(text, span.start));
    ProfileError { line, path: None, reason: error.message().trim().to_owned() }
}

fn broken(text: &str, error: RuleError) -> ProfileError {
    let line = place::line_of_rule(text, &error.path);
    ProfileError { line, path: Some(error.path), reason: error.rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_text_is_refused_with_its_line() {
        let unknown = parse("profile = \"x\"\nnonsense = 1\n").map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|text| text.starts_with("line 2: unknown field `nonsense`")));
        let kind = parse("virtual_clock = 3").map_err(|error| error.line);
        assert_eq!(kind, Err(Some(1)));
        let long = parse(&" ".repeat(PROFILE_BYTES_MAX + 1)).map_err(|error| error.code());
        assert_eq!(long, Err("profile_text"));
    }

    #[test]
    fn a_rule_that_cannot_stand_is_refused_with_its_line_and_path() {
        let text = "profile = \"x\"\n\n[token]\nsymbol = \"\"\n";
        let error = parse(text).map_err(|error| (error.line, error.path, error.reason));
        let reason = "must have 1 to 64 bytes".to_owned();
        assert_eq!(error, Err((Some(4), Some("token.symbol".into()), reason)));
    }
}
