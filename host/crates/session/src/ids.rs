//! Identities and positions. Made from values that the caller brings.

use std::fmt;

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Serialize};

/// 128 bits that name one tenant, agent, session or key for ever. The first 48
/// are the milliseconds of its creation, as in a UUID of version 7 (RFC 9562),
/// so that uids sort by age.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub [u8; 16]);

impl Uid {
    /// A uid of this moment. The rest makes it unique: random bits, or a count within the millisecond before them.
    pub fn new(now: Millis, rest: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&rest);
        Self(bytes)
    }

    /// Lower-case hexadecimal, 32 characters.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// The uid that `hex` wrote.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uid({})", self.hex())
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl Serialize for Uid {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for Uid {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(from)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a uid is 32 hexadecimal digits"))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// RFC 3339 in UTC with milliseconds: `2026-05-28T22:17:09.627Z`.
    ///
    /// Civil date from day number after Howard Hinnant, "chrono-compatible
    /// low-level date algorithms": years count from March, eras of 400 years.
    pub fn rfc3339(self) -> String {
        let ms = self.0.rem_euclid(1000);
        let seconds = self.0.div_euclid(1000);
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{ms:03}Z")
    }
}

/// An entry's position in its session, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A turn's number in its session, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TurnNo(pub u64);

/// An event's name for clients: `aev_` and the base32 form (RFC 4648 "extended
/// hex" alphabet, which keeps the order of the bytes) of session uid and seq.
/// Fixed width: found without an index, sorts as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId {
    /// The session's uid.
    pub session: Uid,
    /// The entry's position in it.
    pub seq: Seq,
}

impl EventId {
    /// The event that this text names, or none where it is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE32_DNSSEC.decode(text.strip_prefix("aev_")?.as_bytes()).ok()?;
        let bytes: [u8; 24] = bytes.try_into().ok()?;
        let (uid, seq) = bytes.split_at(16);
        let id = Self { session: Uid(uid.try_into().ok()?), seq: Seq(u64::from_be_bytes(seq.try_into().ok()?)) };
        // The decoder also reads capitals; only what we wrote names an event.
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.session.0);
        bytes[16..].copy_from_slice(&self.seq.0.to_be_bytes());
        write!(f, "aev_{}", BASE32_DNSSEC.encode(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_reads_back_and_sorts_by_position() {
        let session = Uid::new(Millis(1_700_000_000_000), [7; 10]);
        let ids: Vec<String> = [1, 2, 31, 32, 33, 1 << 40].map(|n| EventId { session, seq: Seq(n) }.to_string()).into();
        let mut sorted = ids.clone();
        sorted.sort();
        assert_eq!(ids, sorted);
        assert_eq!(ids[0].len(), ids[5].len());
        assert_eq!(EventId::parse(&ids[3]), Some(EventId { session, seq: Seq(32) }));
        assert_eq!(EventId::parse("aev_user_input_001"), None);
        assert_eq!(EventId::parse(&ids[3].to_uppercase()), None);
    }

    #[test]
    fn a_time_is_written_as_rfc_3339_with_milliseconds() {
        assert_eq!(Millis(0).rfc3339(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis(1_779_999_429_627).rfc3339(), "2026-05-28T20:17:09.627Z");
        assert_eq!(Millis(951_782_400_001).rfc3339(), "2000-02-29T00:00:00.001Z");
        assert_eq!(Millis(-1).rfc3339(), "1969-12-31T23:59:59.999Z");
    }
}
