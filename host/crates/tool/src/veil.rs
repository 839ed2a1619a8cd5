//! Secrets of one call, each under a placeholder that means nothing outside of
//! it. A guest gets placeholders in its arguments; only the way out knows what they stand for.

use std::fmt;

/// Which placeholder stands for which secret value.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Veil(Vec<(String, String)>);

impl Veil {
    /// Lets a placeholder stand for a value.
    pub fn put(&mut self, placeholder: String, value: String) {
        self.0.push((placeholder, value));
    }

    /// Placeholders with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(placeholder, value)| (placeholder.as_str(), value.as_str()))
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Veil({} secrets)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_shown() {
        let mut veil = Veil::default();
        veil.put("wsec_1".into(), "hush-hush".into());
        assert_eq!(format!("{veil:?}"), "Veil(1 secrets)");
    }
}
