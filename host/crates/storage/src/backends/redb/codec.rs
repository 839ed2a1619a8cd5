//! How single values are written: a version byte, then fixed fields, then what
//! varies. Reading checks every length: a damaged file gives an error, never a panic.

use session::mark::TokenUsage;
use session::{Head, Hidden, Millis, Seq, Status, TurnNo, Uid};

use super::layout::{kind_code, kind_of};
use crate::batch::{Blob, Idempotency, OpenWait, Running, WaitRow};
use crate::directory::Record;
use crate::journal::Error;

/// The version that stands before heads, records and blobs.
const VERSION: u8 = 1;

/// Takes fields off the front of a value.
pub(super) struct Fields<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields behind the version byte.
    pub(super) fn of(what: &'static str, bytes: &'a [u8], version: u8) -> Result<Self, Error> {
        let mut fields = Self { what, rest: bytes };
        match fields.byte()? {
            found if found == version => Ok(fields),
            found => Err(Error::Damaged(format!("a {what} of version {found}, this program knows {version}"))),
        }
    }

    /// The fields of something without a version.
    pub(super) fn bare(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| Error::Damaged(format!("a {} that ends too early", self.what)))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, Error> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(super) fn uid(&mut self) -> Result<Uid, Error> {
        Ok(Uid(self.array()?))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.u32()? as usize;
        let what = self.what;
        std::str::from_utf8(self.take(length)?).map_err(|_| Error::Damaged(format!("a {what} whose text is not UTF-8")))
    }
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// A session's head.
pub(super) fn head(head: &Head) -> Vec<u8> {
    let Head { last, fold_from, listed, hidden, turn, status, last_at, usage } = head;
    let mut bytes = Vec::with_capacity(96 + 24 * hidden.len());
    bytes.push(VERSION);
    bytes.push(match status {
        Status::Unstarted => 0,
        Status::Running => 1,
        Status::Stopped => 2,
    });
    for number in [last.0, fold_from.0, *listed, turn.0] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(&last_at.0.to_be_bytes());
    bytes.push(u8::from(usage.is_some()));
    if let Some(TokenUsage { input, cached, output, reasoning, window }) = usage {
        for number in [input, cached, output, reasoning, window] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
    for Hidden { from, to, listed } in hidden {
        for number in [from.0, to.0, *listed] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
    }
    bytes
}

/// Reads what [`head`] wrote.
pub(super) fn read_head(bytes: &[u8]) -> Result<Head, Error> {
    let mut fields = Fields::of("head", bytes, VERSION)?;
    let status = match fields.byte()? {
        0 => Status::Unstarted,
        1 => Status::Running,
        2 => Status::Stopped,
        other => return Err(Error::Damaged(format!("a head with the unknown status {other}"))),
    };
    let mut head = Head {
        last: Seq(fields.u64()?),
        fold_from: Seq(fields.u64()?),
        listed: fields.u64()?,
        turn: TurnNo(fields.u64()?),
        last_at: Millis(fields.i64()?),
        status,
        ..Head::default()
    };
    if fields.byte()? == 1 {
        head.usage = Some(TokenUsage {
            input: fields.u64()?,
            cached: fields.u64()?,
            output: fields.u64()?,
            reasoning: fields.u64()?,
            window: fields.u64()?,
        });
    }
    head.hidden.reserve_exact(fields.rest.len() / 24);
    while !fields.rest.is_empty() {
        head.hidden.push(Hidden { from: Seq(fields.u64()?), to: Seq(fields.u64()?), listed: fields.u64()? });
    }
    Ok(head)
}

/// The last position of a head, without reading the rest.
pub(super) fn head_last(bytes: &[u8]) -> Result<Seq, Error> {
    let mut fields = Fields::of("head", bytes, VERSION)?;
    fields.byte()?;
    Ok(Seq(fields.u64()?))
}

/// A record. Its uid is its key.
pub(super) fn record(record: &Record) -> Vec<u8> {
    let Record { uid: _, tenant, kind, scope, name, alias, version, body } = record;
    let mut bytes = Vec::with_capacity(64 + name.len() + alias.as_ref().map_or(0, String::len) + body.len());
    bytes.push(VERSION);
    bytes.push(kind_code(*kind));
    bytes.extend_from_slice(&tenant.0);
    bytes.extend_from_slice(&scope.0);
    bytes.extend_from_slice(&version.to_be_bytes());
    put_text(&mut bytes, name);
    bytes.push(u8::from(alias.is_some()));
    if let Some(alias) = alias {
        put_text(&mut bytes, alias);
    }
    bytes.extend_from_slice(body);
    bytes
}

/// Reads what [`record`] wrote.
pub(super) fn read_record(uid: Uid, bytes: &[u8]) -> Result<Record, Error> {
    let mut fields = Fields::of("record", bytes, VERSION)?;
    let kind = kind_of(fields.byte()?)?;
    let (tenant, scope, version) = (fields.uid()?, fields.uid()?, fields.u64()?);
    let name = fields.text()?.to_owned();
    let alias = if fields.byte()? == 1 { Some(fields.text()?.to_owned()) } else { None };
    Ok(Record { uid, tenant, kind, scope, name, alias, version, body: fields.rest.to_vec() })
}

/// Tenant and scope of a record, without reading the rest.
pub(super) fn record_place(bytes: &[u8]) -> Result<(Uid, Uid), Error> {
    let mut fields = Fields::of("record", bytes, VERSION)?;
    fields.byte()?;
    Ok((fields.uid()?, fields.uid()?))
}

/// A turn that runs: tenant, turn, attempt.
pub(super) fn running(tenant: Uid, running: Running) -> [u8; 28] {
    super::layout::join(&[&tenant.0, &running.turn.0.to_be_bytes(), &running.attempt.to_be_bytes()])
}

/// Reads what [`running`] wrote.
pub(super) fn read_running(bytes: &[u8; 28]) -> Result<(Uid, Running), Error> {
    let mut fields = Fields::bare("running mark", bytes);
    Ok((fields.uid()?, Running { turn: TurnNo(fields.u64()?), attempt: fields.u32()? }))
}

/// A wait. Session and call are its key.
pub(super) fn wait(tenant: Uid, row: &WaitRow) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(25 + row.body.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&tenant.0);
    bytes.extend_from_slice(&row.due.0.to_be_bytes());
    bytes.extend_from_slice(&row.body);
    bytes
}

/// Reads what [`wait`] wrote.
pub(super) fn read_wait(key: &[u8; 24], bytes: &[u8]) -> Result<OpenWait, Error> {
    let mut place = Fields::bare("key of a wait", key);
    let (session, call) = (place.uid()?, Seq(place.u64()?));
    let mut fields = Fields::of("wait", bytes, VERSION)?;
    let (tenant, due) = (fields.uid()?, Millis(fields.i64()?));
    Ok(OpenWait { tenant, session, row: WaitRow { call, due, body: fields.rest.to_vec() } })
}

/// What an idempotency key stands for.
pub(super) fn idempotency(of: &Idempotency) -> [u8; 64] {
    super::layout::join(&[&of.body, &of.session.0, &of.turn.0.to_be_bytes(), &of.at.0.to_be_bytes()])
}

/// Reads what [`idempotency`] wrote.
pub(super) fn read_idempotency(bytes: &[u8; 64]) -> Result<Idempotency, Error> {
    let mut fields = Fields::bare("idempotency row", bytes);
    Ok(Idempotency { body: fields.array()?, session: fields.uid()?, turn: TurnNo(fields.u64()?), at: Millis(fields.i64()?) })
}

/// A time as a key: sorts, also before 1970.
pub(super) fn time_key(at: Millis) -> [u8; 8] {
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// The time behind a key.
pub(super) fn read_time_key(key: [u8; 8]) -> Millis {
    Millis((u64::from_be_bytes(key) ^ (1 << 63)).cast_signed())
}

/// A blob. Its digest is in its key.
pub(super) fn blob(blob: &Blob) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + blob.media_type.len() + blob.bytes.len());
    bytes.push(VERSION);
    put_text(&mut bytes, &blob.media_type);
    bytes.extend_from_slice(&blob.bytes);
    bytes
}

/// Reads what [`blob`] wrote.
pub(super) fn read_blob(digest: [u8; 32], bytes: &[u8]) -> Result<Blob, Error> {
    let mut fields = Fields::of("blob", bytes, VERSION)?;
    let media_type = fields.text()?.to_owned();
    Ok(Blob { digest, media_type, bytes: fields.rest.to_vec() })
}
