//! Keys of agents and sessions: what clients may choose, and what is made for
//! them from a name and random bits.

use crate::errors::{Error, Result};

/// Characters of a key.
const LENGTH: usize = 50;

/// Checks a key that a client gives; `field` is where it stood.
pub(crate) fn checked<'a>(key: &'a str, field: &str) -> Result<&'a str> {
    let fits = (1..=LENGTH).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(key) } else { Err(Error::field(field, format!("`{field}` must be 1 to {LENGTH} characters of 0-9, a-z, A-Z, _ and -"))) }
}

/// `agt_<slug>_<4 hex>`. Names are unique in a tenant, so few bits are enough.
pub(crate) fn agent_key(name: &str, random: [u8; 2]) -> String {
    generated("agt", name, &data_encoding::HEXLOWER.encode(&random))
}

/// `ase_<slug>_<16 hex>`: 64 random bits, because who knows a session's key may try to speak in it.
pub(crate) fn session_key(name: &str, random: [u8; 8]) -> String {
    generated("ase", name, &data_encoding::HEXLOWER.encode(&random))
}

fn generated(prefix: &str, name: &str, suffix: &str) -> String {
    let room = LENGTH - prefix.len() - suffix.len() - 2;
    let slug = slug(name, room);
    if slug.is_empty() { format!("{prefix}_{suffix}") } else { format!("{prefix}_{slug}_{suffix}") }
}

/// Lower case, blanks as `_`, hyphens kept, everything else dropped.
fn slug(name: &str, room: usize) -> String {
    let lower = name.to_lowercase();
    let kept = lower.chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some('_'),
        c if c.is_ascii_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.take(room).collect::<String>().trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_the_name_in_lower_case_with_random_bits() {
        assert_eq!(agent_key("RAG Research-Assistant", [0x46, 0x27]), "agt_rag_research-assistant_4627");
        assert_eq!(session_key("Ärger & Co", [0; 8]), "ase_rger__co_0000000000000000");
        assert_eq!(agent_key("日本", [1, 2]), "agt_0102");
    }

    #[test]
    fn a_generated_key_is_always_one_that_a_client_could_have_chosen() {
        for name in ["x".repeat(400), "  ".into(), "a b c".into(), "-".into()] {
            assert!(checked(&session_key(&name, [9; 8]), "key").is_ok());
            assert!(checked(&agent_key(&name, [9; 2]), "key").is_ok());
        }
    }

    #[test]
    fn a_key_with_other_characters_or_too_long_is_refused() {
        assert!(checked("agt_customer_support", "key").is_ok());
        for bad in ["", "a b", "ä", "a/b", "..", &"k".repeat(51)] {
            assert!(checked(bad, "key").is_err(), "{bad}");
        }
    }
}
