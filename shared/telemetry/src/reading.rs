//! A reading of all metrics: what Prometheus would be shown, as OTLP says it.
//!
//! Knows the text format of Prometheus, of which ours is written, and the messages of OTLP. Every reading tells everything since
//! the start, so that one that is lost costs nothing. What cannot be read is left out.

use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
        metric::Data, number_data_point::Value as Number,
    },
};

use crate::wire::attribute;

/// The most points of one part of a reading. Metrics are not divided, so that a part may have one metric's more.
const PART_MAX: usize = 2_000; // Full: the next part has the others.

/// Since when is counted, and now; nanoseconds since 1970.
pub(crate) type Times = (u64, u64);

/// A metric whose lines are being read.
#[derive(Default)]
struct Reader<'a> {
    name: &'a str,
    help: &'a str,
    kind: &'a str,
    /// Upper bounds, and how many are below each, of the point that is being read.
    buckets: Vec<(f64, u64)>,
    sum: f64,
    numbers: Vec<NumberDataPoint>,
    histograms: Vec<HistogramDataPoint>,
}

/// Everything that the text shows, in parts.
pub(crate) fn read(text: &str, times: Times) -> Vec<Vec<Metric>> {
    let (mut parts, mut part, mut points) = (Vec::new(), Vec::new(), 0);
    let mut reader = Reader::default();
    let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        match line.strip_prefix("# ") {
            Some(said) => reader.heading(said),
            None => {
                let _read = reader.sample(line, times);
            }
        }
        let is_last = lines.peek().is_none_or(|next| next.starts_with("# "));
        if is_last && let Some((metric, many)) = reader.finish() {
            points += many;
            part.push(metric);
        }
        if points >= PART_MAX {
            parts.push(std::mem::take(&mut part));
            points = 0;
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn heading(&mut self, said: &'a str) {
        let mut words = said.splitn(3, ' ');
        let (what, name, rest) = (words.next(), words.next(), words.next());
        let (name, rest) = (name.unwrap_or_default(), rest.unwrap_or_default());
        if name != self.name {
            (self.name, self.help, self.kind) = (name, "", "");
        }
        match what {
            Some("HELP") => self.help = rest,
            Some("TYPE") => self.kind = rest,
            _ => {}
        }
    }

    /// Reads a line; `None` where it is none of this metric.
    fn sample(&mut self, line: &str, times: Times) -> Option<()> {
        let rest = line.strip_prefix(self.name)?;
        let (start_time_unix_nano, time_unix_nano) = times;
        match self.kind {
            "counter" | "gauge" => {
                let (mut labels, value) = split(rest)?;
                let value = match self.kind {
                    "counter" => Number::AsInt(value.parse().ok()?),
                    _ => Number::AsDouble(value.parse().ok()?),
                };
                self.numbers.push(NumberDataPoint {
                    attributes: attributes(&mut labels)?,
                    start_time_unix_nano,
                    time_unix_nano,
                    value: Some(value),
                    ..NumberDataPoint::default()
                });
            }
            "histogram" => {
                if let Some(rest) = rest.strip_prefix("_bucket") {
                    let (labels, count) = split(rest)?;
                    let bound = labels.rsplit("le=\"").next()?.split('"').next()?;
                    self.buckets
                        .push((bound.parse().ok()?, count.parse().ok()?));
                } else if let Some(rest) = rest.strip_prefix("_sum") {
                    self.sum = split(rest)?.1.parse().ok()?;
                } else if let Some(rest) = rest.strip_prefix("_count") {
                    let (mut labels, count) = split(rest)?;
                    let (explicit_bounds, bucket_counts) = self.between();
                    self.histograms.push(HistogramDataPoint {
                        attributes: attributes(&mut labels)?,
                        start_time_unix_nano,
                        time_unix_nano,
                        count: count.parse().ok()?,
                        sum: Some(self.sum),
                        bucket_counts,
                        explicit_bounds,
                        ..HistogramDataPoint::default()
                    });
                }
            }
            _ => {}
        }
        Some(())
    }

    /// The bounds that are finite, and how many lie between one and the next.
    fn between(&mut self) -> (Vec<f64>, Vec<u64>) {
        let (mut bounds, mut counts, mut below) = (Vec::new(), Vec::new(), 0);
        for (bound, count) in self.buckets.drain(..) {
            if bound.is_finite() {
                bounds.push(bound);
            }
            counts.push(count.saturating_sub(below));
            below = count;
        }
        (bounds, counts)
    }

    /// The metric, and how many points it has.
    fn finish(&mut self) -> Option<(Metric, usize)> {
        let (numbers, histograms) = (
            std::mem::take(&mut self.numbers),
            std::mem::take(&mut self.histograms),
        );
        let many = numbers.len() + histograms.len();
        let aggregation_temporality = AggregationTemporality::Cumulative.into();
        let data = match self.kind {
            _ if many == 0 => return None,
            "counter" => Data::Sum(Sum {
                data_points: numbers,
                aggregation_temporality,
                is_monotonic: true,
            }),
            "gauge" => Data::Gauge(Gauge {
                data_points: numbers,
            }),
            _ => Data::Histogram(Histogram {
                data_points: histograms,
                aggregation_temporality,
            }),
        };
        let unit = if self.name.ends_with("_seconds") {
            "s"
        } else {
            ""
        };
        let metric = Metric {
            name: self.name.to_owned(),
            description: self.help.to_owned(),
            unit: unit.to_owned(),
            data: Some(data),
            ..Metric::default()
        };
        Some((metric, many))
    }
}

/// What stands between the braces, if anything, and what stands behind them.
fn split(rest: &str) -> Option<(&str, &str)> {
    let Some(rest) = rest.strip_prefix('{') else {
        return Some(("", rest.strip_prefix(' ')?));
    };
    // A value has no brace in it, whatever a label has.
    let (labels, value) = rest.rsplit_once('}')?;
    Some((labels, value.trim()))
}

/// Labels such as `one="a",two="b\"c"`.
fn attributes(labels: &mut &str) -> Option<Vec<KeyValue>> {
    let mut attributes = Vec::new();
    while !labels.is_empty() {
        let (key, rest) = labels.split_once("=\"")?;
        let (mut text, mut letters) = (String::new(), rest.char_indices());
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => text.push(match letters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, letter) => text.push(letter),
            }
        };
        attributes.push(attribute(key, Value::StringValue(text)));
        let rest = rest.get(end + 1..)?;
        *labels = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"# HELP a_total How many
# TYPE a_total counter
a_total{code="1",why="x, \"y\"\\}z"} 3
a_total 18446744073709551615
a_total{code="2"} 4

# TYPE level gauge
level 1.5
# HELP took_seconds How long
# TYPE took_seconds histogram
took_seconds_bucket{method="m",le="0.1"} 2
took_seconds_bucket{method="m",le="1"} 2
took_seconds_bucket{method="m",le="+Inf"} 5
took_seconds_sum{method="m"} 7.25
took_seconds_count{method="m"} 5

# TYPE odd summary
odd{quantile="0.5"} 1
"#;

    #[test]
    fn counters_gauges_and_histograms_are_said_as_they_are_shown() {
        let parts = read(TEXT, (7, 9));
        let [part] = &parts[..] else {
            panic!("{parts:?}");
        };
        let names: Vec<_> = part.iter().map(|it| (&*it.name, &*it.unit)).collect();
        assert_eq!(
            names,
            [("a_total", ""), ("level", ""), ("took_seconds", "s")]
        );
        let Some(Data::Sum(sum)) = &part[0].data else {
            panic!("{:?}", part[0]);
        };
        // What no counter of the protocol can hold is left out.
        assert_eq!(sum.data_points.len(), 2);
        assert!(sum.is_monotonic && part[0].description == "How many");
        let first = &sum.data_points[0];
        assert_eq!(first.value, Some(Number::AsInt(3)));
        assert_eq!((first.start_time_unix_nano, first.time_unix_nano), (7, 9));
        let expected = attribute("why", Value::StringValue("x, \"y\"\\}z".to_owned()));
        assert_eq!(first.attributes[1], expected);
        let Some(Data::Histogram(histogram)) = &part[2].data else {
            panic!("{:?}", part[2]);
        };
        let point = &histogram.data_points[0];
        assert_eq!(point.explicit_bounds, [0.1, 1.0]);
        assert_eq!(point.bucket_counts, [2, 0, 3]);
        assert_eq!((point.count, point.sum), (5, Some(7.25)));
        assert_eq!(point.attributes.len(), 1);
    }

    #[test]
    fn much_goes_in_parts_and_nonsense_is_left_out() {
        let lines = (0..5).flat_map(|metric| {
            let point = move |label| format!("m{metric}{{l=\"{label}\"}} 1\n");
            let points = (0..1_000).map(point);
            std::iter::once(format!("# TYPE m{metric} gauge\n")).chain(points)
        });
        let text: String = lines.collect();
        let parts = read(&text, (0, 0));
        let sizes: Vec<_> = parts.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 2, 1]);
        for text in [
            "",
            "x",
            "# TYPE x",
            "# TYPE x counter\nx{",
            "# TYPE x counter\nx{a=\"} 1",
        ] {
            assert!(read(text, (0, 0)).is_empty(), "{text}");
        }
    }
}
