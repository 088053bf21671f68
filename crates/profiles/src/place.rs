//! Where in a text something is.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line, from 1, of the byte at `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// The line of a rule such as `stake.cooldown` or `token.allocations[2].share`: its own, or
/// that of the innermost table around it that the text names.
pub(crate) fn line_of_rule(text: &str, path: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let table = document.get_ref();
    let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    let first = steps.next()?;
    let (name, mut value) = table.iter().find(|(name, _)| name.get_ref() == first)?;
    let mut span = name.span();
    for step in steps {
        let Some((inner_span, inner)) = inside(value, step) else { break };
        (span, value) = (inner_span, inner);
    }
    Some(line_of(text, span.start))
}

type Value<'a> = Spanned<DeValue<'a>>;

/// The member or element of `value` that `step` names.
fn inside<'a, 'b>(value: &'b Value<'a>, step: &str) -> Option<(Range<usize>, &'b Value<'a>)> {
    match value.get_ref() {
        DeValue::Table(table) => {
            let (name, inner) = table.iter().find(|(name, _)| name.get_ref() == step)?;
            Some((name.span(), inner))
        }
        DeValue::Array(items) => {
            let inner = items.get(step.parse::<usize>().ok()?)?;
            Some((inner.span(), inner))
        }
        _ => None,
    }
}

/// `line 3: stake.cooldown: `, as far as it is known.
pub(crate) fn describe(line: Option<usize>, path: Option<&str>) -> String {
    let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    let path = path.map(|path| format!("{path} ")).unwrap_or_default();
    line + &path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_place_that_is_written_is_found() {
        let text = "a = 1\n[b]\nc = 2\n[[b.d]]\ne = 3\n[[b.d]]\ne = 4\n";
        assert_eq!(line_of_rule(text, "a"), Some(1));
        assert_eq!(line_of_rule(text, "b.c"), Some(3));
        assert_eq!(line_of_rule(text, "b.d[1].e"), Some(7));
        assert_eq!(line_of_rule(text, "b.missing"), Some(2));
        assert_eq!(line_of_rule(text, "z"), None);
    }
}
