//! The text that Prometheus reads (exposition format 0.0.4): a family at a time, its help and type before its samples.

use std::fmt::{Display, Write as _};

use radslag_engine::meter::Reading;

/// The text, as far as it is written.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: impl Display) {
        writeln!(self.0, "{line}").expect("a string takes everything");
    }

    /// A number that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.line(format_args!("{name} {value}"));
    }

    /// A number that only goes up.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        self.line(format_args!("{name} {value}"));
    }

    /// Numbers of one sort, each of something else, which its labels name.
    pub(super) fn of_each<const N: usize>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'static str, String); N], impl Display)>,
    ) {
        self.family(name, kind, help);
        for (labels, value) in values {
            // Ours are names and ids: nothing in them has to be escaped.
            let labels = labels.map(|(label, of)| format!("{label}=\"{of}\"")).join(",");
            self.line(format_args!("{name}{{{labels}}} {value}"));
        }
    }

    /// How often something was how large. `unit` is how many of the reading's make one of the family's.
    pub(super) fn histogram(&mut self, name: &str, help: &str, reading: &Reading, unit: f64) {
        self.family(name, "histogram", help);
        for (bound, count) in &reading.up_to {
            let bound = float(*bound) / unit;
            self.line(format_args!("{name}_bucket{{le=\"{bound}\"}} {count}"));
        }
        self.line(format_args!("{name}_bucket{{le=\"+Inf\"}} {}", reading.count));
        self.line(format_args!("{name}_sum {}", float(reading.sum) / unit));
        self.line(format_args!("{name}_count {}", reading.count));
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

// A time that is so long that its microseconds are lost is long enough.
#[expect(clippy::cast_precision_loss, reason = "what is watched over is not counted to the last digit")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_says_what_it_is_before_its_samples() {
        let mut text = Text::default();
        text.gauge("a", "What a is.", 3);
        text.of_each(
            "b_total",
            "counter",
            "What b is.",
            [([("is", "X".to_owned()), ("of", "x".to_owned())], 1)],
        );
        let reading = Reading { up_to: vec![(250, 1), (1_000_000, 2)], count: 3, sum: 3_000_250 };
        text.histogram("c_seconds", "What c is.", &reading, 1e6);
        let expected = "# HELP a What a is.\n# TYPE a gauge\na 3\n\
            # HELP b_total What b is.\n# TYPE b_total counter\nb_total{is=\"X\",of=\"x\"} 1\n\
            # HELP c_seconds What c is.\n# TYPE c_seconds histogram\nc_seconds_bucket{le=\"0.00025\"} 1\n\
            c_seconds_bucket{le=\"1\"} 2\nc_seconds_bucket{le=\"+Inf\"} 3\nc_seconds_sum 3.00025\nc_seconds_count 3\n";
        assert_eq!(text.into_string(), expected);
    }
}
