//! What a simulation shows: tables as CSV, and one HTML file that needs nothing beside it.

mod chart;
mod page;
mod story;

use serde::Serialize;

pub(crate) use chart::{Chart, Series};

/// A table: names of columns, then rows of numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Table {
    /// What each column is, with its unit.
    pub columns: Vec<String>,
    /// One value a column.
    pub rows: Vec<Vec<f64>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&name| name.into()).collect(), rows: Vec::new() }
    }

    /// The table as CSV, a header first.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = self.columns.join(",") + "\n";
        for row in &self.rows {
            let row: Vec<String> = row.iter().map(|value| number(*value)).collect();
            text += &(row.join(",") + "\n");
        }
        text
    }

    /// The points of one column over another.
    pub(crate) fn points(&self, x: usize, y: usize) -> Vec<(f64, f64)> {
        let point = |row: &Vec<f64>| Some((*row.get(x)?, *row.get(y)?));
        self.rows.iter().filter_map(point).collect()
    }
}

/// A number with at most six places, the same on every machine.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number as a person reads it: three figures and a unit.
pub(crate) fn short(value: f64) -> String {
    if !value.is_finite() {
        return "none".into();
    }
    let size = value.abs();
    let (scaled, unit) = match size {
        s if s >= 1e12 => (value / 1e12, "T"),
        s if s >= 1e9 => (value / 1e9, "G"),
        s if s >= 1e6 => (value / 1e6, "M"),
        s if s >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let places = match scaled.abs() {
        s if s >= 100.0 || s == 0.0 => 0,
        s if s >= 10.0 => 1,
        s if s >= 0.1 => 2,
        _ => 4,
    };
    format!("{scaled:.places$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_become_csv() {
        let mut table = Table::new(&["day", "supply"]);
        table.rows = vec![vec![0.0, 1.5], vec![1.0, f64::NAN]];
        assert_eq!(table.csv(), "day,supply\n0,1.5\n1,\n");
        assert_eq!(table.points(0, 1)[0], (0.0, 1.5));
    }

    #[test]
    fn numbers_are_short_for_people() {
        let cases =
            [(0.0, "0"), (12.34, "12.3"), (1_234.0, "1.23k"), (3e8, "300M"), (0.01, "0.0100")];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
    }
}
