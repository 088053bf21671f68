//! One rule set otherwise.

use remuda_ledger::Economy;
use remuda_ledger::governance::rule_mut;
use serde_json::Value;

use crate::ProfileError;

/// The economy with the rule at `path` set to the JSON `json`, if that can stand.
///
/// # Errors
/// [`ProfileError`] naming the path: it does not exist, the value is of the wrong kind, or the
/// rules do not stand with it.
pub fn with(economy: &Economy, path: &str, json: &str) -> Result<Economy, ProfileError> {
    let refuse = |reason: String| ProfileError { line: None, path: Some(path.into()), reason };
    let value: Value = serde_json::from_str(json).map_err(|error| refuse(error.to_string()))?;
    let mut rules = serde_json::to_value(economy).map_err(|error| refuse(error.to_string()))?;
    *rule_mut(&mut rules, path).ok_or_else(|| refuse("is no rule".into()))? = value;
    let changed: Economy =
        serde_json::from_value(rules).map_err(|error| refuse(error.to_string()))?;
    changed.validate().map_err(|error| ProfileError {
        line: None,
        path: Some(error.path),
        reason: error.rule,
    })?;
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_set_or_refused_by_name() {
        let plain = Economy::default();
        let named = with(&plain, "token.symbol", "\"HAY\"");
        assert_eq!(named.map(|economy| economy.token.symbol), Ok("HAY".into()));
        let wrong = |path, json| with(&plain, path, json).map_err(|error| error.path).err();
        assert_eq!(wrong("token.nonsense", "1"), Some(Some("token.nonsense".into())));
        assert_eq!(wrong("token.symbol", "7"), Some(Some("token.symbol".into())));
        assert_eq!(wrong("token.symbol", "\"\""), Some(Some("token.symbol".into())));
        assert_eq!(wrong("token.symbol", "{"), Some(Some("token.symbol".into())));
    }
}
