//! Line charts as SVG.

use super::short;

/// The size of a chart, in its own units, and the room for its labels.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
/// How many lines of a grid there are between the axes.
const TICKS: u32 = 4;
/// The most points that a line is drawn with.
const POINTS_MAX: usize = 400;

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// What it shows.
    pub(crate) name: String,
    /// Its points, in the order of their x.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Series {
    /// A line.
    pub(crate) fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points }
    }
}

/// A chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// What it shows.
    pub(crate) title: String,
    /// The unit of its vertical axis.
    pub(crate) unit: String,
    /// What to read in it, in a sentence.
    pub(crate) note: String,
    /// Its lines.
    pub(crate) series: Vec<Series>,
}

/// The smallest and the largest value that the axes show.
#[derive(Clone, Copy, Debug)]
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn around(series: &[Series]) -> Self {
        let points = || series.iter().flat_map(|series| &series.points);
        let x = bounds(points().map(|point| point.0));
        let (low, high) = bounds(points().map(|point| point.1));
        // An axis that begins at nothing does not exaggerate, unless the values go below it.
        Self { x, y: (low.min(0.0), high.max(0.0)) }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let across = (x - self.x.0) / (self.x.1 - self.x.0).max(f64::MIN_POSITIVE);
        let up = (y - self.y.0) / (self.y.1 - self.y.0).max(f64::MIN_POSITIVE);
        let (width, height) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
        (LEFT + across * width, HEIGHT - BOTTOM - up * height)
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let wide = (f64::INFINITY, f64::NEG_INFINITY);
    let (low, high) = finite.fold(wide, |(low, high), v| (low.min(v), high.max(v)));
    if low > high { (0.0, 1.0) } else { (low, high) }
}

impl Chart {
    /// The chart as an HTML figure.
    pub(crate) fn figure(&self) -> String {
        let frame = Frame::around(&self.series);
        let lines: String =
            self.series.iter().enumerate().map(|(i, s)| line(i, s, &frame)).collect();
        let legend: String = self.series.iter().enumerate().map(|(i, s)| key(i, s)).collect();
        let (title, unit, note) = (
            super::page::escape(&self.title),
            super::page::escape(&self.unit),
            super::page::escape(&self.note),
        );
        format!(
            "<figure><figcaption><h3>{title}</h3><p class=\"unit\">{unit}</p></figcaption>\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">{}{lines}\
             </svg><p class=\"legend\">{legend}</p><p>{note}</p></figure>\n",
            grid(&frame)
        )
    }
}

fn grid(frame: &Frame) -> String {
    let mut text = String::new();
    for tick in 0..=TICKS {
        let part = f64::from(tick) / f64::from(TICKS);
        let (x_value, y_value) = (
            frame.x.0 + part * (frame.x.1 - frame.x.0),
            frame.y.0 + part * (frame.y.1 - frame.y.0),
        );
        let (x, _) = frame.place((x_value, frame.y.0));
        let (_, y) = frame.place((frame.x.0, y_value));
        let (end, below) = (WIDTH - RIGHT, HEIGHT - BOTTOM + 18.0);
        text += &format!(
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{end}\" y2=\"{y:.1}\"/>\
             <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"x\" x=\"{x:.1}\" y=\"{below:.1}\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            short(y_value),
            short(x_value),
        );
    }
    text
}

fn line(index: usize, series: &Series, frame: &Frame) -> String {
    let step = series.points.len().div_ceil(POINTS_MAX).max(1);
    let last = series.points.last().copied();
    let kept = series.points.iter().step_by(step).copied().chain(last);
    let points: Vec<String> = kept
        .filter(|point| point.1.is_finite())
        .map(|point| frame.place(point))
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    format!("<polyline class=\"s{index}\" points=\"{}\"/>", points.join(" "))
}

fn key(index: usize, series: &Series) -> String {
    let last = series.points.last().map(|point| short(point.1)).unwrap_or_default();
    let name = super::page::escape(&series.name);
    format!("<span><i class=\"s{index}\"></i>{name} <b>{last}</b></span>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_holds_its_lines_and_survives_odd_values() {
        let points = vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
        let chart = Chart {
            title: "Supply <all>".into(),
            unit: "tokens".into(),
            note: String::new(),
            series: vec![Series::new("a", points), Series::new("b", vec![])],
        };
        let figure = chart.figure();
        assert!(figure.contains("Supply &lt;all&gt;"));
        assert!(!figure.contains("NaN") && !figure.contains("inf"));
        assert_eq!(figure.matches("<polyline").count(), 2);
    }
}
