//! Counters for Prometheus. Handles are made once, so that a request only adds to atomics.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::router::LABELS;

/// The classes of HTTP statuses, with the ones that clients cause by going away.
const CLASSES: [&str; 5] = ["2xx", "4xx", "5xx", "gone", "broken"];

/// Bounds of the histograms' buckets, in seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0, 60.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With this status.
    Status(u16),
    /// The client went away.
    Gone,
    /// A stream broke after its beginning.
    Broken,
}

impl Ending {
    const fn class(self) -> usize {
        match self {
            Self::Status(..400) => 0,
            Self::Status(400..500) => 1,
            Self::Status(_) => 2,
            Self::Gone => 3,
            Self::Broken => 4,
        }
    }
}

/// All counters.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: [[Counter; CLASSES.len()]; LABELS.len()],
    tokens_in: Counter,
    tokens_out: Counter,
    pub(crate) amount: Counter,
    pub(crate) failovers: Counter,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) models: Gauge,
    pub(crate) providers: Gauge,
    pub(crate) undelivered_vouchers: Gauge,
    pub(crate) receipts_lost: Gauge,
    pub(crate) first_token: Histogram,
    pub(crate) duration: Histogram,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("remuda_gateway");
        let requests = Family::<RequestLabels, Counter>::default();
        let handle = |route, status| requests.get_or_create_owned(&RequestLabels { route, status });
        let handles = LABELS.map(|route| CLASSES.map(|status| handle(route, status)));
        registry.register("requests", "Requests by route and ending", requests);
        let tokens = Family::<DirectionLabels, Counter>::default();
        let direction = |direction| tokens.get_or_create_owned(&DirectionLabels { direction });
        let (tokens_in, tokens_out) = (direction("in"), direction("out"));
        registry.register("tokens", "Model tokens that were paid, by direction", tokens);
        let histogram = || Histogram::new(SECONDS);
        let metrics = Self {
            registry: Registry::default(),
            requests: handles,
            tokens_in,
            tokens_out,
            amount: Counter::default(),
            failovers: Counter::default(),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            models: Gauge::default(),
            providers: Gauge::default(),
            undelivered_vouchers: Gauge::default(),
            receipts_lost: Gauge::default(),
            first_token: histogram(),
            duration: histogram(),
        };
        metrics.register(registry)
    }

    fn register(mut self, mut registry: Registry) -> Self {
        registry.register(
            "amount_micro_dollars",
            "What jobs cost their buyers, in micro-dollars",
            self.amount.clone(),
        );
        registry.register(
            "failovers",
            "Jobs that another provider continued",
            self.failovers.clone(),
        );
        registry.register("in_flight", "Generations that run", self.in_flight.clone());
        registry.register("connections", "Open connections", self.connections.clone());
        registry.register("providers", "Providers that are known", self.providers.clone());
        registry.register(
            "undelivered_vouchers",
            "Channels with a voucher that could not be delivered yet",
            self.undelivered_vouchers.clone(),
        );
        registry.register("models", "Models that are offered now", self.models.clone());
        registry.register(
            "receipts_lost",
            "Receipts given up because the disk failed for long",
            self.receipts_lost.clone(),
        );
        let (first, duration) = (self.first_token.clone(), self.duration.clone());
        let help = "From the request to its first output";
        registry.register_with_unit("first_token", help, Unit::Seconds, first);
        let help = "From the request to its end";
        registry.register_with_unit("duration", help, Unit::Seconds, duration);
        self.registry = registry;
        self
    }

    pub(crate) fn request(&self, route: usize, ending: Ending) {
        if let Some(counter) = self.requests.get(route).and_then(|row| row.get(ending.class())) {
            counter.inc();
        }
    }

    pub(crate) fn tokens(&self, units_in: u64, units_out: u64) {
        self.tokens_in.inc_by(units_in);
        self.tokens_out.inc_by(units_out);
    }

    /// All counters in Prometheus' text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let written = encode(&mut text, &self.registry);
        debug_assert!(written.is_ok(), "{written:?}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_and_class() {
        let metrics = Metrics::new();
        metrics.request(2, Ending::Status(200));
        metrics.request(2, Ending::Status(200));
        metrics.request(2, Ending::Status(429));
        metrics.request(2, Ending::Gone);
        metrics.tokens(5, 7);
        let text = metrics.text();
        for line in [
            r#"remuda_gateway_requests_total{route="chat_completions",status="2xx"} 2"#,
            r#"remuda_gateway_requests_total{route="chat_completions",status="4xx"} 1"#,
            r#"remuda_gateway_requests_total{route="chat_completions",status="gone"} 1"#,
            r#"remuda_gateway_tokens_total{direction="out"} 7"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
