//! One line and one count a request: what happened, never what was said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use remuda_client::{JobEvent, JobReport};
use remuda_types::{Credits, OrderId};

use crate::metrics::{Ending, Metrics};
use crate::router::LABELS;

/// What is known of a request so far. Dropping it closes the account: a request that did not
/// say how it ended was left by its client.
#[derive(Debug)]
pub(crate) struct Record {
    metrics: Arc<Metrics>,
    route: usize,
    started: Instant,
    ending: Ending,
    code: Option<&'static str>,
    model: String,
    order: Option<OrderId>,
    units_in: u64,
    units_out: u64,
    amount: Credits,
    first_output: Option<Duration>,
    failovers: u32,
    generates: bool,
}

impl Record {
    pub(crate) fn new(metrics: Arc<Metrics>, route: usize) -> Self {
        Self {
            metrics,
            route,
            started: Instant::now(),
            ending: Ending::Gone,
            code: None,
            model: String::new(),
            order: None,
            units_in: 0,
            units_out: 0,
            amount: Credits::ZERO,
            first_output: None,
            failovers: 0,
            generates: false,
        }
    }

    /// A job began.
    pub(crate) fn begin(&mut self, model: &str, order: OrderId) {
        model.clone_into(&mut self.model);
        self.order = Some(order);
        self.generates = true;
        self.metrics.in_flight.inc();
    }

    /// Something happened in the job.
    pub(crate) fn observe(&mut self, event: &JobEvent) {
        match event {
            JobEvent::Prepared { units_in, .. } => self.units_in = *units_in,
            JobEvent::Output(_) | JobEvent::Embeddings(_) if self.first_output.is_none() => {
                self.first_output = Some(self.started.elapsed());
            }
            JobEvent::FailedOver { from, to, reason } => {
                self.failovers += 1;
                let order = self.order;
                tracing::info!(?from, ?to, reason, ?order, "failed over");
            }
            JobEvent::Finished(report) => self.finished(report),
            _ => {}
        }
        if let JobEvent::Output(delta) = event {
            self.units_out += u64::from(delta.units);
        }
    }

    fn finished(&mut self, report: &JobReport) {
        self.units_in = report.usage.units_in;
        self.units_out = report.usage.units_out;
        self.amount = report.amount;
    }

    /// The request was answered with `status`.
    pub(crate) fn answered(&mut self, status: u16) {
        self.ending = Ending::Status(status);
    }

    /// The request was answered with `status`, unless it was refused for a reason.
    pub(crate) fn answered_unless_failed(&mut self, status: u16) {
        if self.code.is_none() {
            self.answered(status);
        }
    }

    /// The request was refused, or its job failed, for the reason `code`.
    pub(crate) fn failed(&mut self, ending: Ending, code: &'static str) {
        self.ending = ending;
        self.code = Some(code);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let metrics = &self.metrics;
        metrics.request(self.route, self.ending);
        if self.generates {
            metrics.in_flight.dec();
            metrics.tokens(self.units_in, self.units_out);
            metrics.amount.inc_by(self.amount.0);
            metrics.failovers.inc_by(u64::from(self.failovers));
            metrics.duration.observe(duration.as_secs_f64());
            self.first_output
                .iter()
                .for_each(|time| metrics.first_token.observe(time.as_secs_f64()));
        }
        let status = match self.ending {
            Ending::Status(status) => status,
            // What reverse proxies log for a client that went away.
            Ending::Gone => 499,
            Ending::Broken => 500,
        };
        tracing::info!(
            route = LABELS.get(self.route).copied().unwrap_or_default(),
            status,
            code = self.code,
            model = %self.model,
            order = self.order.map(tracing::field::display),
            units_in = self.units_in,
            units_out = self.units_out,
            amount_micro_dollars = self.amount.0,
            failovers = self.failovers,
            ttft_ms = self.first_output.map(|time| time.as_secs_f64() * 1e3),
            duration_ms = duration.as_secs_f64() * 1e3,
            "request"
        );
    }
}
