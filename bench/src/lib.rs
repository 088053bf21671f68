//! Tools of the benchmarks: `mock`, an OpenAI-compatible server that answers at once with
//! fixed text, and `load`, which asks a server and measures. Neither is part of the product.
//!
//! ```sh
//! mock 127.0.0.1:9001
//! load --url http://127.0.0.1:9001/v1 --model mock --requests 1000 --stream
//! ```

use std::time::Duration;

/// Minimum, median, 90th and 99th percentile of some times, in microseconds.
#[must_use]
pub fn percentiles(times: &mut [Duration]) -> [u128; 4] {
    times.sort_unstable();
    let at = |share: usize| {
        let index = (times.len().saturating_sub(1)) * share / 100;
        times.get(index).map_or(0, Duration::as_micros)
    };
    [at(0), at(50), at(90), at(99)]
}

#[cfg(test)]
mod tests {
    use super::percentiles;
    use std::time::Duration;

    #[test]
    fn percentiles_of_a_hundred() {
        let mut times: Vec<Duration> = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(percentiles(&mut times), [1, 50, 90, 99]);
        assert_eq!(percentiles(&mut []), [0; 4]);
    }
}
