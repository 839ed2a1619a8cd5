//! One line: a record between its place in the chain and its own hash.
//!
//! ```text
//! {"seq":7,"prev":"<hash of line 6>","row":"3-12",…the record…,"hash":"<64 hex digits>"}
//! ```
//!
//! The hash is SHA-256 over the bytes of the line up to `,"hash"`. `prev` is among
//! them, so that each hash speaks for every line before. `row` names the row of the
//! outbox that the record came from; lines that the clerk adds itself have none.

use sha2::{Digest, Sha256};

/// Bytes of one line. Records are far smaller; what is longer was not written by us.
pub const LINE_BYTES_MAX: usize = 256 << 10;

/// Hex digits of a hash.
const HEX: usize = 64;

/// The end of a chain: by it every line before is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of the last line; 0 before the first.
    pub seq: u64,
    /// Its hash; zeros before the first.
    pub hash: [u8; 32],
}

impl Head {
    /// The hash as it stands in lines.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.hash)
    }

    /// As text, for keeping elsewhere.
    pub fn mark(&self) -> String {
        format!("{} {}", self.seq, self.hex())
    }

    /// The head that `mark` wrote.
    pub fn from_mark(mark: &[u8]) -> Option<Self> {
        let (seq, hash) = std::str::from_utf8(mark).ok()?.split_once(' ')?;
        Some(Self { seq: seq.parse().ok()?, hash: unhex(hash.as_bytes())? })
    }
}

/// A line that was read: of our form, with the hash that its bytes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number.
    pub seq: u64,
    /// The hash of the line before, as it claims.
    pub prev: [u8; 32],
    /// The row of the outbox.
    pub row: Option<&'a str>,
    /// The record's members, without the braces.
    pub members: &'a [u8],
    /// The hash that it claims.
    pub claimed: [u8; 32],
    /// The hash that its bytes have.
    pub hash: [u8; 32],
}

/// Appends the line after `head` to `out` and answers the new head. `record` is a
/// JSON object with at least one member, without line breaks.
pub fn write(out: &mut Vec<u8>, head: Head, row: Option<&str>, record: &[u8]) -> Head {
    let from = out.len();
    out.extend_from_slice(format!("{{\"seq\":{},\"prev\":\"{}\",", head.seq + 1, head.hex()).as_bytes());
    if let Some(row) = row {
        out.extend_from_slice(format!("\"row\":\"{row}\",").as_bytes());
    }
    out.extend_from_slice(&record[1..record.len() - 1]);
    let head = Head { seq: head.seq + 1, hash: Sha256::digest(&out[from..]).into() };
    out.extend_from_slice(format!(",\"hash\":\"{}\"}}\n", head.hex()).as_bytes());
    head
}

/// Reads a line without its line break; none where it is not of our form.
pub fn read(bytes: &[u8]) -> Option<Line<'_>> {
    let (hashed, tail) = bytes.split_at_checked(bytes.len().checked_sub(HEX + 11)?)?;
    let claimed = unhex(tail.strip_prefix(b",\"hash\":\"")?.strip_suffix(b"\"}")?)?;
    let rest = hashed.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seq = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(b",\"prev\":\"")?;
    let (prev, rest) = rest.split_at_checked(HEX)?;
    let mut members = rest.strip_prefix(b"\",")?;
    let mut row = None;
    if let Some(named) = members.strip_prefix(b"\"row\":\"") {
        let end = named.iter().position(|byte| *byte == b'"')?;
        row = Some(std::str::from_utf8(&named[..end]).ok()?);
        members = named[end..].strip_prefix(b"\",")?;
    }
    Some(Line { seq, prev: unhex(prev)?, row, members, claimed, hash: Sha256::digest(hashed).into() })
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back_and_is_json() {
        let mut out = Vec::new();
        let first = write(&mut out, Head::default(), None, br#"{"kind":"start"}"#);
        let from = out.len();
        let second = write(&mut out, first, Some("3-1"), br#"{"kind":"call","end":"done"}"#);
        let line = read(&out[from..out.len() - 1]).unwrap();
        assert_eq!((line.seq, line.prev, line.row), (2, first.hash, Some("3-1")));
        assert_eq!((line.members, line.claimed, line.hash), (&br#""kind":"call","end":"done""#[..], second.hash, second.hash));
        let json: serde_json::Value = serde_json::from_slice(&out[from..]).unwrap();
        assert_eq!((json["seq"].as_u64(), json["hash"].as_str()), (Some(2), Some(&*second.hex())));
        assert_eq!(Head::from_mark(second.mark().as_bytes()), Some(second));
    }

    #[test]
    fn strange_bytes_are_no_line_and_never_a_panic() {
        let mut out = Vec::new();
        write(&mut out, Head::default(), Some("1-1"), br#"{"kind":"start"}"#);
        for cut in 0..out.len() - 1 {
            assert_eq!(read(&out[..cut]), None, "cut at {cut}");
        }
        for odd in [&b""[..], b"{}", &[0; 500], b"{\"seq\":99999999999999999999999,"] {
            assert_eq!(read(odd), None);
        }
        for mark in [&b""[..], b"1", b"x y", &[0xff; 70]] {
            assert_eq!(Head::from_mark(mark), None);
        }
    }
}
