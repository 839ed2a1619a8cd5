//! How a repeat of a request is recognised: by the name that the client gave it. Without one, by the hash of what it says.

use http::HeaderMap;
use sha2::{Digest, Sha256};

use agent::Repeat;
use session::Principal;

use crate::errors::{Error, Result};

/// Characters of an `Idempotency-Key`.
const IDEMPOTENCY_KEY: usize = 255;

/// The client's own name for this request, scoped to who sends it where.
pub(crate) fn named(headers: &HeaderMap, principal: &Principal, agent: &str, session: &str) -> Result<Option<Repeat>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=IDEMPOTENCY_KEY).contains(&key.len()));
    let wrong = || Error::field("Idempotency-Key", format!("`Idempotency-Key` must be 1 to {IDEMPOTENCY_KEY} ASCII characters"));
    let subject = principal.subject.as_deref().unwrap_or_default();
    let mut hasher = Sha256::new();
    hasher.update(principal.key.0);
    for part in [subject, agent, session, key.ok_or_else(wrong)?] {
        push(&mut hasher, part.as_bytes());
    }
    Ok(Some(Repeat { digest: hasher.finalize().into() }))
}

/// Adds a part whose end is known.
pub(crate) fn push(hasher: &mut Sha256, part: &[u8]) {
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}
