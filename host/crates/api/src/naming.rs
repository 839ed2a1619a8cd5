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

/// Checks the key that a client chooses for a new session. Those of conversations are made: whoever took one that is free
/// for the moment would keep its owner out.
pub(crate) fn chosen_session_key<'a>(key: &'a str, field: &str) -> Result<&'a str> {
    let made = key
        .strip_prefix(CONVERSATION)
        .is_some_and(|rest| rest.len() == CONVERSATION_DIGITS && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'v')));
    if made {
        return Err(Error::field(
            field,
            format!("`{field}` has the form of the keys that the server makes for conversations; choose another"),
        ));
    }
    checked(key, field)
}

/// `cnv_<26 digits of base32hex>`: the key of a conversation, from 128 bits that nobody outside can work out.
pub(crate) fn conversation_key(digest: [u8; 16]) -> String {
    format!("{CONVERSATION}{}", data_encoding::BASE32_DNSSEC.encode(&digest))
}

const CONVERSATION: &str = "cnv_";

/// 128 bits in base32hex (RFC 4648, section 7), lower case, without padding.
const CONVERSATION_DIGITS: usize = 26;

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
    fn the_key_of_a_conversation_is_one_that_no_client_chooses() {
        for bits in [0, 0x5a, 0xff] {
            let key = conversation_key([bits; 16]);
            assert!(checked(&key, "key").is_ok());
            assert!(chosen_session_key(&key, "key").is_err(), "{key}");
        }
        for free in ["cnv_", "cnv_mine", "ase_x", "CNV_aaaaaaaaaaaaaaaaaaaaaaaaaa", "cnv_aaaaaaaaaaaaaaaaaaaaaaaaaz"] {
            assert!(chosen_session_key(free, "key").is_ok(), "{free}");
        }
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
