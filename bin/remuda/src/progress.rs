//! Progress of long work: a bar on a terminal, a line a step elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use remuda_models::Progress;

use crate::output::Output;

/// The progress of one download.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// A bar for `name`; hidden when results are JSON. indicatif hides it by itself when
    /// standard error is not a terminal.
    pub(crate) fn new(output: Output, name: &str) -> Self {
        let bar = if output == Output::Text { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{prefix} {msg} {bytes}/{total_bytes} {bar:30} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        Self { bar }
    }

    /// Shows how far the work is.
    pub(crate) fn show(&self, progress: &Progress) {
        self.bar.set_length(progress.total);
        self.bar.set_position(progress.done);
        self.bar.set_message(format!("{} ({})", progress.phase, progress.source));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
