//! Two economies rule by rule.

use std::collections::BTreeMap;

use remuda_ledger::Economy;
use serde::Serialize;
use serde_json::Value;

/// One rule in which two economies differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The rule, as in `stake.cooldown`.
    pub path: String,
    /// The first economy's value; none when it has no such entry.
    pub left: Option<Value>,
    /// The second's.
    pub right: Option<Value>,
}

/// Every rule of an economy by its path.
#[must_use]
pub fn rules(economy: &Economy) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    // An economy holds no map with keys that are not text, which is all that could fail.
    if let Ok(value) = serde_json::to_value(economy) {
        flatten(String::new(), value, &mut found);
    }
    found
}

fn flatten(path: String, value: Value, found: &mut BTreeMap<String, Value>) {
    let inner: Vec<(String, Value)> = match value {
        Value::Object(members) if !members.is_empty() => {
            let dot = if path.is_empty() { "" } else { "." };
            members.into_iter().map(|(name, value)| (format!("{path}{dot}{name}"), value)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            let place = |(index, value)| (format!("{path}[{index}]"), value);
            items.into_iter().enumerate().map(place).collect()
        }
        value => {
            found.insert(path, value);
            return;
        }
    };
    for (path, value) in inner {
        flatten(path, value, found);
    }
}

/// Every rule in which `left` and `right` differ, in the order of their paths.
#[must_use]
pub fn differences(left: &Economy, right: &Economy) -> Vec<Difference> {
    let (mut left, mut right) = (rules(left), rules(right));
    let mut paths: Vec<String> = left.keys().chain(right.keys()).cloned().collect();
    paths.sort_unstable();
    paths.dedup();
    let difference = |path: String| {
        let (left, right) = (left.remove(&path), right.remove(&path));
        (left != right).then_some(Difference { path, left, right })
    };
    paths.into_iter().filter_map(difference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_economy_differs_from_itself_in_nothing() {
        let plain = Economy::default();
        assert_eq!(differences(&plain, &plain), []);
        let mut other = plain.clone();
        other.token.symbol = "OTHER".into();
        let found = differences(&plain, &other);
        assert_eq!(found.iter().map(|d| d.path.as_str()).collect::<Vec<_>>(), ["token.symbol"]);
    }
}
