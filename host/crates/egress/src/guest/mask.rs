//! Takes injected secrets out of answers: a server that echoes its request
//! would otherwise hand them to the guest. Each byte becomes `*`, so that
//! lengths stay true. What a server transforms first (an encoding, a hash, a
//! part of the value alone) is not recognised.

use bytes::{Bytes, BytesMut};
use policy::Secret;

/// Shorter values are left alone: they are no secrets, and would tear up the answer.
const SECRET_BYTES_MIN: usize = 4;

/// The values to look for.
#[derive(Default)]
pub(super) struct Mask {
    needles: Vec<Vec<u8>>,
    /// The end of what has arrived, as far as it could be the beginning of a secret.
    held: BytesMut,
}

impl Mask {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let needles = secrets.map(|secret| secret.expose().as_bytes().to_vec());
        Self { needles: needles.filter(|it| it.len() >= SECRET_BYTES_MIN).collect(), held: BytesMut::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Masks every secret that lies wholly in the bytes; says whether there was one.
    pub(super) fn apply(&self, bytes: &mut [u8]) -> bool {
        let mut found = false;
        for needle in &self.needles {
            let mut from = 0;
            while let Some(at) = find(&bytes[from..], needle) {
                bytes[from + at..from + at + needle.len()].fill(b'*');
                from += at + needle.len();
                found = true;
            }
        }
        found
    }

    /// The next piece, without what could be the beginning of a secret.
    pub(super) fn next(&mut self, piece: Bytes) -> Bytes {
        if self.is_empty() {
            return piece;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(&piece);
        self.apply(&mut held);
        let begun = self.needles.iter().map(|needle| begun(&held, needle)).max().unwrap_or(0);
        self.held = held.split_off(held.len() - begun);
        held.freeze()
    }

    /// What was held back, once no more will come.
    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.held).freeze()
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// How many bytes at the end of the bytes begin the needle.
fn begun(bytes: &[u8], needle: &[u8]) -> usize {
    let longest = bytes.len().min(needle.len() - 1);
    (1..=longest).rev().find(|&length| bytes.ends_with(&needle[..length])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through(secrets: &[&str], pieces: &[&[u8]]) -> String {
        let secrets: Vec<_> = secrets.iter().map(|it| Secret::new((*it).to_owned()).unwrap()).collect();
        let mut mask = Mask::new(secrets.iter());
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| mask.next(Bytes::copy_from_slice(piece))).collect();
        out.extend_from_slice(&mask.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_masked_wherever_the_pieces_break() {
        assert_eq!(through(&["hush-hush"], &[b"a hush-hush b"]), "a ********* b");
        assert_eq!(through(&["hush-hush"], &[b"a hush-", b"hu", b"sh b hush"]), "a ********* b hush");
        assert_eq!(through(&["aabaab"], &[b"aabaa", b"baabaab"]), "******aabaab".replace("aabaab", "******"));
    }

    #[test]
    fn what_cannot_be_a_secret_is_not_held_back() {
        let secret = Secret::new("hush-hush".into()).unwrap();
        let mut mask = Mask::new([&secret].into_iter());
        assert_eq!(mask.next(Bytes::from_static(b"data: 1\n\n")), "data: 1\n\n");
    }

    proptest! {
        #[test]
        fn no_secret_survives_and_no_byte_is_lost(text in "[ab-]{0,60}", breaks in prop::collection::vec(0usize..60, 0..6)) {
            let mut breaks: Vec<_> = breaks.into_iter().map(|at| at.min(text.len())).chain([0, text.len()]).collect();
            breaks.sort_unstable();
            let pieces: Vec<_> = breaks.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
            let out = through(&["ab-a", "baab"], &pieces);
            prop_assert_eq!(out.len(), text.len());
            prop_assert!(!out.contains("ab-a") && !out.contains("baab"));
        }
    }
}
