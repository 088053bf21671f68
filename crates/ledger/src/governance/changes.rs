//! Changes of parameters: a path and a value, tried on a copy of the rules.

use remuda_types::Tokens;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::actions::{CHANGES_MAX, VALUE_BYTES_MAX};
use super::rules::PATH_BYTES_MAX;
use super::{GovernanceError, ParameterChange};
use crate::context::check_text;
use crate::economy::Economy;
use crate::error::TransactionError;
use crate::genesis::Parameters;

/// What no proposal changes on any network. A profile may name more.
pub const BUILT_IN_IMMUTABLE: [&str; 5] =
    ["profile", "virtual_clock", "token.total", "token.allocations", "governance.immutable"];

/// Paths that begin so are the bounds of the state machine.
const BOUNDS: &str = "bounds.";

/// The rules with some changes, if they can stand: each on the result of the one before.
///
/// # Errors
/// The first reason why they cannot; `supply` is what no cap may cut.
pub(super) fn apply(
    economy: &Economy,
    parameters: &Parameters,
    changes: &[ParameterChange],
    supply: Tokens,
) -> Result<(Economy, Parameters), TransactionError> {
    if changes.is_empty() || changes.len() > CHANGES_MAX as usize {
        return Err(GovernanceError::ChangeCount { most: CHANGES_MAX }.into());
    }
    let before = to_json("economy", economy)?;
    let (mut rules, mut bounds) = (before.clone(), to_json("bounds", parameters)?);
    let (mut changed, mut limits) = (economy.clone(), *parameters);
    for ParameterChange { path, value } in changes {
        check_text("path", path, u32::try_from(PATH_BYTES_MAX).unwrap_or(u32::MAX))?;
        check_text("value", value, VALUE_BYTES_MAX)?;
        // Read after each, so that the error names the change that caused it.
        if let Some(inner) = path.strip_prefix(BOUNDS) {
            set(&mut bounds, path, inner, value)?;
            limits = from_json(path, &bounds)?;
        } else {
            set(&mut rules, path, path, value)?;
            changed = from_json(path, &rules)?;
        }
    }
    check_immutable(economy, &before, &to_json("economy", &changed)?)?;
    check_cap(economy.token.cap, changed.token.cap, supply)?;
    let broken = |path: &str, rule: &str| GovernanceError::RuleBroken {
        path: path.into(),
        rule: rule.into(),
    };
    changed.validate().map_err(|error| broken(&error.path, &error.rule))?;
    limits.validate().map_err(|error| broken("bounds", &error.to_string()))?;
    Ok((changed, limits))
}

fn to_json<T: Serialize>(path: &str, rules: &T) -> Result<Value, GovernanceError> {
    serde_json::to_value(rules).map_err(|error| wrong_value(path, &error))
}

fn from_json<T: DeserializeOwned>(path: &str, json: &Value) -> Result<T, GovernanceError> {
    T::deserialize(json).map_err(|error| wrong_value(path, &error))
}

fn wrong_value(path: &str, error: &serde_json::Error) -> GovernanceError {
    let reason = error.to_string().chars().take(256).collect();
    GovernanceError::ParameterValue { path: path.into(), reason }
}

/// Sets one value. Every step but the last must exist; what the last one may be is decided by
/// the rules' own format, which knows no unknown fields.
fn set(root: &mut Value, name: &str, path: &str, text: &str) -> Result<(), GovernanceError> {
    let unknown = || GovernanceError::UnknownParameter { path: name.into() };
    let value: Value = serde_json::from_str(text).map_err(|error| wrong_value(name, &error))?;
    let (parent, last) = match path.rsplit_once('.') {
        Some((parent, last)) => (rule_mut(root, parent).ok_or_else(unknown)?, last),
        None => (root, path),
    };
    match parent {
        Value::Object(fields) if !last.is_empty() => {
            fields.insert(last.into(), value);
        }
        Value::Array(items) => {
            let index: usize = last.parse().map_err(|_| unknown())?;
            *items.get_mut(index).ok_or_else(unknown)? = value;
        }
        _ => return Err(unknown()),
    }
    Ok(())
}

/// The rule at a path such as `stake.cooldown` or `epochs.streams.0.length` in an economy's
/// JSON; `None` when there is none.
#[must_use]
pub fn rule_mut<'a>(root: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(root, |at, step| match at {
        Value::Object(fields) => fields.get_mut(step),
        Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn find<'a>(root: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(root, |at, step| match at {
        Value::Object(fields) => fields.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// What is immutable reads the same before and after, whichever path was written.
fn check_immutable(
    economy: &Economy,
    before: &Value,
    after: &Value,
) -> Result<(), GovernanceError> {
    let own = economy.governance.immutable.iter().map(String::as_str);
    let mut paths = BUILT_IN_IMMUTABLE.into_iter().chain(own).filter(|path| *path != "token.cap");
    let touched = paths.find(|path| find(before, path) != find(after, path));
    match touched {
        Some(path) => Err(GovernanceError::Immutable { path: path.into() }),
        None => Ok(()),
    }
}

/// The cap falls only, and never below what exists.
fn check_cap(
    before: Option<Tokens>,
    after: Option<Tokens>,
    supply: Tokens,
) -> Result<(), GovernanceError> {
    let holds = before == after
        || after.is_some_and(|cap| cap >= supply && before.is_none_or(|old| cap <= old));
    if holds { Ok(()) } else { Err(GovernanceError::CapRaised { supply }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Period;

    fn economy() -> Economy {
        let mut economy = Economy { profile: "test".into(), ..Economy::default() };
        economy.token.cap = Some(Tokens(1_000_000_000_000));
        economy.governance.immutable = vec!["devices.waiting".into()];
        economy
    }

    fn changed(changes: &[(&str, &str)]) -> Result<(Economy, Parameters), &'static str> {
        let changes: Vec<_> = changes
            .iter()
            .map(|(path, value)| ParameterChange { path: (*path).into(), value: (*value).into() })
            .collect();
        let supply = Tokens(500_000_000_000);
        apply(&economy(), &Parameters::default(), &changes, supply).map_err(|error| error.code())
    }

    #[test]
    fn rules_go_through_json_unchanged() {
        let json = to_json("economy", &economy()).unwrap();
        assert_eq!(from_json::<Economy>("economy", &json), Ok(economy()));
    }

    #[test]
    fn a_change_is_one_value() {
        let (rules, _) = changed(&[("governance.voting", "\"3d\"")]).unwrap();
        let mut expected = economy();
        expected.governance.voting = Period::DAY.times(3);
        assert_eq!(rules, expected);
        let (_, bounds) = changed(&[("bounds.models_max", "7")]).unwrap();
        assert_eq!(bounds, Parameters { models_max: 7, ..Parameters::default() });
        let class = r#"{"multiplier": "10"}"#;
        let (rules, _) = changed(&[("devices.classes.h100", class)]).unwrap();
        assert_eq!(rules.devices.classes.len(), 1);
        let (rules, _) = changed(&[
            ("devices.certificates.tier_auditors.0", "3"),
            ("governance.quorum", "\"20%\""),
        ])
        .unwrap();
        assert_eq!(rules.devices.certificates.tier_auditors[0], 3);
    }

    #[test]
    fn a_wrong_change_has_its_code() {
        let refused = |path: &str, value: &str| changed(&[(path, value)]).unwrap_err();
        assert_eq!(refused("nothing.at.all", "1"), "governance_unknown_parameter");
        assert_eq!(refused("governance.votign", "1"), "governance_parameter_value");
        assert_eq!(refused("governance.voting", "3"), "governance_parameter_value");
        assert_eq!(refused("governance.voting", "\"3d"), "governance_parameter_value");
        assert_eq!(refused("governance.quorum", "\"120%\""), "governance_parameter_value");
        assert_eq!(refused("governance.threshold", "\"10%\""), "governance_rule_broken");
        assert_eq!(refused("bounds.models_max", "0"), "governance_rule_broken");
        assert_eq!(refused("devices.waiting", "\"1h\""), "governance_immutable");
        assert_eq!(refused("profile", "\"other\""), "governance_immutable");
        assert_eq!(refused("governance.immutable", "[]"), "governance_immutable");
        assert_eq!(refused("devices", r#"{"waiting": "1h"}"#), "governance_immutable");
        assert_eq!(refused("token.cap", "\"1001\""), "governance_cap_raised");
        assert_eq!(refused("token.cap", "\"none\""), "governance_cap_raised");
        assert_eq!(refused("token.cap", "\"499\""), "governance_cap_raised");
        assert_eq!(refused("", "1"), "text_length");
        assert_eq!(changed(&[]).unwrap_err(), "governance_change_count");
        assert!(changed(&[("token.cap", "\"900\"")]).is_ok());
    }
}
