//! The profiles that come along.

use remuda_ledger::Economy;

use crate::{ProfileError, parse};

/// A profile that comes along.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its file, comments and all: where a value has a source, the comment says which.
    pub text: &'static str,
}

impl Builtin {
    /// The economy that it states.
    ///
    /// # Errors
    /// Never for the text that was built in; a test reads them all.
    pub fn economy(&self) -> Result<Economy, ProfileError> {
        parse(self.text)
    }
}

macro_rules! builtin_profiles {
    ($($name:literal,)*) => {
        /// The profiles that come along, ours first.
        pub const BUILTIN: &[Builtin] = &[$(Builtin {
            name: $name,
            text: include_str!(concat!("../../../profiles/", $name, ".toml")),
        },)*];
    };
}

builtin_profiles! {
    "remuda",
    "dekube",
    "render",
    "akash",
    "ionet",
    "gensyn",
    "aethir",
    "phala",
    "heurist",
    "filecoin",
    "ocean",
    "iotex",
    "helium",
}

/// The profile with this name.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static Builtin> {
    BUILTIN.iter().find(|profile| profile.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_stands_and_bears_its_name() {
        for profile in BUILTIN {
            let economy = profile.economy().unwrap_or_else(|e| panic!("{}: {e}", profile.name));
            assert_eq!(economy.profile, profile.name);
            assert!(!economy.about.is_empty(), "{} says what it is", profile.name);
        }
    }
}
