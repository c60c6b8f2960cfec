//! OpenMetrics 1.0 text, which unlike Prometheus' older format has exemplars.

use std::fmt::Write as _;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{Exemplar, Exemplars, Labels};

/// The media type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Formats all families. `exemplars` are those of the histogram with the name `exemplified`.
pub(super) fn text(families: &[MetricFamily], exemplified: &str, exemplars: &Exemplars) -> String {
    let mut text = Text { text: String::with_capacity(64 * 1024) };
    for family in families {
        let exemplars = (family.name() == exemplified).then_some(exemplars);
        text.family(family, exemplars);
    }
    text.text.push_str("# EOF\n");
    text.text
}

struct Text {
    text: String,
}

impl Text {
    fn family(&mut self, family: &MetricFamily, exemplars: Option<&Exemplars>) {
        let name = family.name();
        let (base, kind) = match family.get_field_type() {
            // A counter's family is named without the suffix that its samples have.
            MetricType::COUNTER => (name.strip_suffix("_total").unwrap_or(name), "counter"),
            MetricType::HISTOGRAM => (name, "histogram"),
            MetricType::SUMMARY => (name, "summary"),
            MetricType::GAUGE => match name.strip_suffix("_info") {
                Some(base) => (base, "info"),
                None => (name, "gauge"),
            },
            MetricType::UNTYPED => (name, "unknown"),
        };
        self.line(format_args!("# TYPE {base} {kind}"));
        self.line(format_args!("# HELP {base} {}", escaped(family.help())));
        for metric in family.get_metric() {
            let labels = labels(metric.get_label());
            match family.get_field_type() {
                MetricType::COUNTER => {
                    self.sample(&format!("{base}_total"), &labels, None, metric.get_counter().get_value(), None);
                }
                MetricType::HISTOGRAM => self.histogram(name, &labels, metric, exemplars),
                // No registered family is a summary or untyped.
                _ => self.sample(name, &labels, None, metric.get_gauge().get_value(), None),
            }
        }
    }

    fn histogram(&mut self, name: &str, labels: &Labels, metric: &Metric, exemplars: Option<&Exemplars>) {
        let histogram = metric.get_histogram();
        let (buckets, count) = (histogram.get_bucket(), histogram.get_sample_count());
        let finite = buckets.iter().map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
        let finite = finite.filter(|(bound, _)| bound.is_finite());
        let all = finite.chain(std::iter::once((f64::INFINITY, count)));
        let sample = format!("{name}_bucket");
        for (index, (bound, below)) in all.enumerate() {
            let exemplar = exemplars.and_then(|exemplars| exemplars.of(labels, index));
            self.sample(&sample, labels, Some(bound), as_float(below), exemplar);
        }
        self.sample(&format!("{name}_sum"), labels, None, histogram.get_sample_sum(), None);
        self.sample(&format!("{name}_count"), labels, None, as_float(count), None);
    }

    fn sample(&mut self, name: &str, labels: &Labels, le: Option<f64>, value: f64, exemplar: Option<Exemplar>) {
        let le = le.map(|bound| ("le".to_owned(), number(bound)));
        let labels: Vec<String> =
            labels.iter().chain(&le).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let exemplar = exemplar.map_or_else(String::new, |Exemplar { trace_id, value, at }| {
            format!(" # {{trace_id=\"{trace_id}\"}} {} {at:.3}", number(value))
        });
        self.line(format_args!("{name}{labels} {}{exemplar}", number(value)));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a String takes any text");
    }
}

fn labels(pairs: &[LabelPair]) -> Labels {
    let mut labels: Labels = pairs.iter().map(|pair| (pair.name().to_owned(), pair.value().to_owned())).collect();
    labels.sort();
    labels
}

/// A whole number is written with its point, so that bounds have one form.
fn number(value: f64) -> String {
    if value.is_infinite() { "+Inf".to_owned() } else { format!("{value:?}") }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
fn as_float(count: u64) -> f64 {
    count as f64
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

    use super::*;

    fn gathered(register: impl Fn(&Registry)) -> Vec<MetricFamily> {
        let registry = Registry::new();
        register(&registry);
        registry.gather()
    }

    #[test]
    fn a_counter_is_named_without_its_suffix_and_its_sample_with_it() {
        let families = gathered(|registry| {
            let counter = IntCounter::new("things_total", "Things \\ so far").expect("is valid");
            counter.inc_by(3);
            registry.register(Box::new(counter)).expect("is the first");
        });
        let expected = "# TYPE things counter\n# HELP things Things \\\\ so far\nthings_total 3.0\n# EOF\n";
        assert_eq!(text(&families, "", &Exemplars::default()), expected);
    }

    #[test]
    fn what_only_informs_is_an_info() {
        let families = gathered(|registry| {
            let gauge = IntGauge::new("build_info", "What runs").expect("is valid");
            gauge.set(1);
            registry.register(Box::new(gauge)).expect("is the first");
        });
        let expected = "# TYPE build info\n# HELP build What runs\nbuild_info 1.0\n# EOF\n";
        assert_eq!(text(&families, "", &Exemplars::default()), expected);
    }

    #[test]
    fn the_bucket_of_a_sampled_request_shows_its_trace() {
        let families = gathered(|registry| {
            let options = HistogramOpts::new("took_seconds", "Time").buckets(vec![0.5, 1.0]);
            let histogram = Histogram::with_opts(options).expect("is valid");
            histogram.observe(0.7);
            histogram.observe(7.0);
            registry.register(Box::new(histogram)).expect("is the first");
        });
        let exemplars = Exemplars::default();
        exemplars.record(Labels::new(), &[0.5, 1.0], Exemplar { trace_id: "abc".to_owned(), value: 0.7, at: 1.5 });
        let text = text(&families, "took_seconds", &exemplars);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines[0], "took_seconds_bucket{le=\"0.5\"} 0.0");
        assert_eq!(lines[1], "took_seconds_bucket{le=\"1.0\"} 1.0 # {trace_id=\"abc\"} 0.7 1.500");
        assert_eq!(lines[2], "took_seconds_bucket{le=\"+Inf\"} 2.0");
        assert_eq!(lines[3..], ["took_seconds_sum 7.7", "took_seconds_count 2.0", "# EOF"]);
    }
}
