//! Access tokens: what a client shows for half an hour instead of its key. A
//! token is signed and not stored, so it outlives a restart; it names its key
//! and holds no right of its own, so it ends with that key.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use session::{Millis, Uid};

/// Life of a token. Clients renew theirs two minutes before its end, so it must be well above that.
pub(crate) const LIFE: Duration = Duration::from_secs(1_800);

/// By which scanners for leaked secrets and this server tell a token from a key.
const PREFIX: &str = "wrt_";

/// What the signing key is derived for; page keys are signed under the same secret.
const PURPOSE: &[u8] = b"wardian access tokens";

const VERSION: u8 = 1;
const MAC: usize = 32;
const LENGTH: usize = 1 + 16 + 8 + MAC;

/// Makes and reads access tokens.
pub(crate) struct Tokens([u8; 32]);

/// What a bearer text turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// A token of ours, for this key.
    Of(Uid),
    /// A token of ours whose time is over.
    Expired,
    /// No token of ours.
    Foreign,
}

impl Tokens {
    /// Tokens under this secret; those of another secret are foreign.
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self(keyed(&secret).chain_update(PURPOSE).finalize().into_bytes().into())
    }

    /// A token for this key.
    pub(crate) fn write(&self, key: Uid, now: Millis) -> String {
        let until = now.0.saturating_add(LIFE.as_millis() as i64);
        let mut bytes = vec![VERSION];
        bytes.extend(key.0);
        bytes.extend(until.to_be_bytes());
        let mac = keyed(&self.0).chain_update(&bytes).finalize().into_bytes();
        bytes.extend(mac);
        format!("{PREFIX}{}", data_encoding::BASE64URL_NOPAD.encode(&bytes))
    }

    /// Whose token a text is.
    pub(crate) fn read(&self, text: &str, now: Millis) -> Read {
        let bytes = text.strip_prefix(PREFIX).and_then(|text| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let bytes: [u8; LENGTH] = match bytes.map(TryInto::try_into) {
            Some(Ok(bytes)) => bytes,
            Some(Err(_)) | None => return Read::Foreign,
        };
        let (said, mac) = bytes.split_at(LENGTH - MAC);
        if said[0] != VERSION || keyed(&self.0).chain_update(said).verify_slice(mac).is_err() {
            return Read::Foreign;
        }
        let (mut key, mut until) = ([0; 16], [0; 8]);
        key.copy_from_slice(&said[1..17]);
        until.copy_from_slice(&said[17..]);
        if i64::from_be_bytes(until) > now.0 { Read::Of(Uid(key)) } else { Read::Expired }
    }
}

fn keyed(secret: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Uid = Uid([3; 16]);
    const NOW: Millis = Millis(1_000);

    #[test]
    fn a_token_names_its_key_for_half_an_hour() {
        let tokens = Tokens::new([7; 32]);
        let token = tokens.write(KEY, NOW);
        assert_eq!(tokens.read(&token, NOW), Read::Of(KEY));
        assert_eq!(tokens.read(&token, Millis(NOW.0 + 1_799_999)), Read::Of(KEY));
        assert_eq!(tokens.read(&token, Millis(NOW.0 + 1_800_000)), Read::Expired);
    }

    #[test]
    fn a_token_is_read_again_under_the_same_secret_only() {
        let token = Tokens::new([7; 32]).write(KEY, NOW);
        assert_eq!(Tokens::new([7; 32]).read(&token, NOW), Read::Of(KEY));
        assert_eq!(Tokens::new([8; 32]).read(&token, NOW), Read::Foreign);
    }

    #[test]
    fn a_changed_token_is_foreign_wherever_it_was_changed() {
        let tokens = Tokens::new([7; 32]);
        let token = tokens.write(KEY, NOW);
        for at in 0..token.len() {
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert_eq!(tokens.read(&changed, NOW), Read::Foreign, "{at}");
        }
        for text in ["", "wrt_", "wrt_AAAA", &token[..token.len() - 4], &format!("{token}AAAA")] {
            assert_eq!(tokens.read(text, NOW), Read::Foreign, "{text}");
        }
    }
}
