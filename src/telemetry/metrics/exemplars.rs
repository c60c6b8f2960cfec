//! Exemplars: for each bucket of the request duration, the trace of the last sampled request in it.
//!
//! The SDK (0.33) does not export them, so they are kept here, for OpenMetrics.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A recorded request with its trace.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Exemplar {
    pub(super) trace_id: String,
    /// In seconds, as the histogram.
    pub(super) value: f64,
    /// Seconds since the epoch.
    pub(super) at: f64,
}

/// The sorted labels of a series, without `le`.
pub(super) type Labels = Vec<(String, String)>;

/// One exemplar for each bucket of each series.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<HashMap<Labels, HashMap<usize, Exemplar>>>);

impl Exemplars {
    /// Records a sampled request. `bounds` are the upper bounds of the buckets.
    pub(super) fn record(&self, mut labels: Labels, bounds: &[f64], exemplar: Exemplar) {
        labels.sort();
        let bucket = bucket(bounds, exemplar.value);
        let mut series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        series.entry(labels).or_default().insert(bucket, exemplar);
    }

    /// The exemplar of a bucket.
    pub(super) fn of(&self, labels: &Labels, bucket: usize) -> Option<Exemplar> {
        let series = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        series.get(labels)?.get(&bucket).cloned()
    }
}

/// The first bucket whose upper bound is not below `value`; the last one has none.
fn bucket(bounds: &[f64], value: f64) -> usize {
    bounds.partition_point(|bound| *bound < value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_at_a_bound_belongs_below_it_and_one_above_all_to_the_last() {
        let bounds = [0.1, 0.5];
        assert_eq!([0.05, 0.1, 0.2, 0.5, 9.0].map(|value| bucket(&bounds, value)), [0, 0, 1, 1, 2]);
    }

    #[test]
    fn the_last_request_of_a_bucket_is_shown_whatever_the_order_of_its_labels() {
        let exemplars = Exemplars::default();
        let label = |name: &str| (name.to_owned(), "x".to_owned());
        for trace in ["first", "second"] {
            let exemplar = Exemplar { trace_id: trace.to_owned(), value: 0.02, at: 0.0 };
            exemplars.record(vec![label("b"), label("a")], &[1.0], exemplar);
        }
        let labels = vec![label("a"), label("b")];
        assert_eq!(exemplars.of(&labels, 0).map(|exemplar| exemplar.trace_id), Some("second".to_owned()));
        assert_eq!(exemplars.of(&labels, 1), None);
    }
}
