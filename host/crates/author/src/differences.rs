//! In what two JSON values differ, so that a person sees it at a glance.

use std::fmt;

use serde_json::Value;

/// Differences that are shown of one pair.
const SHOWN_MAX: usize = 20;

/// What is shown of one value.
const VALUE_CHARS_MAX: usize = 300;

/// One place in which they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, such as `parts[0].data.result`.
    pub at: String,
    /// What stood there; none where nothing did.
    pub before: Option<Value>,
    /// What stands there now; none where it is gone.
    pub after: Option<Value>,
}

/// All places in which two values differ, those of the first one in its order.
pub fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut found);
    found
}

/// The differences as lines, as many as a person reads.
pub fn shown(differences: &[Difference]) -> String {
    let mut text: String = differences.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    if differences.len() > SHOWN_MAX {
        text += &format!("and {} more\n", differences.len() - SHOWN_MAX);
    }
    text
}

fn compare(at: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {}
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let added = after.keys().filter(|name| !before.contains_key(*name));
            for name in before.keys().chain(added) {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                compare(at, before.get(name), after.get(name), found);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                compare(format!("{at}[{index}]"), before.get(index), after.get(index), found);
            }
        }
        (before, after) => found.push(Difference { at, before: before.cloned(), after: after.cloned() }),
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.at.is_empty() { "the whole" } else { &self.at })?;
        for (sign, value) in [('-', &self.before), ('+', &self.after)] {
            let Some(value) = value else { continue };
            let text = value.to_string();
            let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
            writeln!(f, "  {sign} {cut}{}", if cut.len() < text.len() { "…" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_names_its_place_and_both_sides() {
        let before = json!({ "end": "done", "parts": [{ "data": { "n": 1, "gone": true } }], "same": [1, 2] });
        let after = json!({ "end": "done", "parts": [{ "data": { "n": 2, "new": null } }, { "text": "x" }], "same": [1, 2] });
        let shown = shown(&differences(&before, &after));
        let expected =
            "parts[0].data.n\n  - 1\n  + 2\nparts[0].data.gone\n  - true\nparts[0].data.new\n  + null\nparts[1]\n  + {\"text\":\"x\"}\n";
        assert_eq!(shown, expected);
        assert!(differences(&before, &before).is_empty());
    }

    #[test]
    fn much_that_differs_is_cut() {
        let shown = shown(&differences(&json!(vec!["é".repeat(1_000); 30]), &json!(vec![0; 30])));
        assert!(shown.ends_with("and 10 more\n") && shown.contains('…') && shown.len() < 20 * 700, "{}", shown.len());
    }
}
