//! How cells stand to each other, and to what they should.

use serde_json::{Map, Value, json};

use crate::measure::rounded;

/// What a ratio should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing was set; it is told.
    None,
}

/// Ratios by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ratios(Map<String, Value>);

impl Ratios {
    /// Adds one. A value that is not a number was not measured, and meets nothing.
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, goal: Goal) {
        let (text, met) = match goal {
            Goal::AtLeast(least) => (Some(format!(">= {least}")), Some(value >= least)),
            Goal::AtMost(most) => (Some(format!("<= {most}")), Some(value <= most)),
            Goal::None => (None, None),
        };
        let met = if value.is_finite() { met } else { None };
        self.0.insert(name.into(), json!({ "value": rounded(value, 3), "goal": text, "met": met }));
    }

    /// Adds how one stands to the other.
    pub(crate) fn ratio(&mut self, name: impl Into<String>, one: f64, other: f64, goal: Goal) {
        self.add(name, one / other, goal);
    }

    /// The line that is printed.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "ratios": self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_from_its_value_on() {
        let mut ratios = Ratios::default();
        ratios.ratio("enough", 7.0, 10.0, Goal::AtLeast(0.7));
        ratios.ratio("too little", 6.9, 10.0, Goal::AtLeast(0.7));
        ratios.add("too much", 2.51, Goal::AtMost(2.5));
        ratios.ratio("not measured", 1.0, f64::NAN, Goal::AtLeast(1.0));
        ratios.add("told", 3.0, Goal::None);
        let said = ratios.to_json();
        let met = |name: &str| said["ratios"][name]["met"].clone();
        assert_eq!(
            (met("enough"), met("too little"), met("too much")),
            (json!(true), json!(false), json!(false))
        );
        assert_eq!((met("not measured"), met("told")), (Value::Null, Value::Null));
        assert_eq!(said["ratios"]["too much"], json!({"value": 2.51, "goal": "<= 2.5", "met": false}));
    }
}
