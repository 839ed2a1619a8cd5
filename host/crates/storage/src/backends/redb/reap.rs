//! Removing what nobody can reach any more, a slice at a time, so that no
//! deletion makes other writers wait.

use ::redb::{Key, ReadableTable, Table, Value};
use session::{Millis, Uid};

use super::codec;
use super::layout::{self, Class, Rows, join};
use super::{inbox, names, timers, waits};
use crate::directory::Kind;
use crate::journal::Error;

/// How long an idempotency key is kept.
pub(super) const IDEMPOTENCY_KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// Removes at most `rows_max` rows; answers how many. Zero means that nothing is left.
pub(super) fn reap(rows: &mut Rows<'_>, rows_max: usize, now: Millis) -> Result<usize, Error> {
    let mut removed = expired_keys(rows, rows_max, now)?;
    removed += timers::clear(rows, rows_max - removed, now)?;
    while removed < rows_max {
        let grave = rows.graves()?.first()?.map(|(uid, place)| (Uid(*uid.value()), *place.value()));
        let Some((uid, place)) = grave else { break };
        let tenant = layout::last_uid(&place[..16]);
        let room = rows_max - removed;
        let found = match layout::kind_of(place[16])? {
            Kind::Session => session(rows, uid, room)?,
            Kind::Agent => agent(rows, tenant, uid, room)?,
            Kind::Tenant => tenants(rows, uid, room)?,
            Kind::Key | Kind::Lease | Kind::Tool | Kind::Feedback => 0,
        };
        removed += found;
        if found < room {
            rows.graves()?.remove(&uid.0)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn expired_keys(rows: &mut Rows<'_>, rows_max: usize, now: Millis) -> Result<usize, Error> {
    let edge = codec::time_key(Millis(now.0.saturating_sub(IDEMPOTENCY_KEPT_MS)));
    let mut removed = 0;
    while removed < rows_max {
        let oldest = rows.idempotency_due()?.first()?.map(|(due, _)| *due.value());
        let Some(due) = oldest.filter(|due| due[..8] < edge[..]) else { break };
        rows.idempotency_due()?.remove(&due)?;
        rows.idempotency()?.remove(&join::<48>(&[&due[8..]]))?;
        removed += 1;
    }
    Ok(removed)
}

fn session(rows: &mut Rows<'_>, uid: Uid, room: usize) -> Result<usize, Error> {
    let mut removed = 0;
    for class in [Class::Listed, Class::Other] {
        let from = layout::position(uid, class, session::Seq(0));
        let to = layout::position(uid, class, session::Seq(u64::MAX));
        let found: Vec<([u8; 25], Vec<u8>)> = rows
            .sessions()?
            .range::<&[u8; 25]>(&from..=&to)?
            .take(room - removed)
            .map(|row| row.map(|(key, place)| (*key.value(), place.value().to_vec())))
            .collect::<Result<_, _>>()?;
        for (key, place) in &found {
            rows.sessions()?.remove(key)?;
            rows.log()?.remove(layout::read_place(place)?)?;
        }
        removed += found.len();
    }
    removed += blobs(rows, uid, room - removed)?;
    removed += clear(rows.state()?, &uid.0, room - removed)?;
    removed += waits::clear(rows, uid, room - removed)?;
    removed += inbox::clear(rows, uid, room - removed)?;
    if removed < room {
        rows.sessions()?.remove(&layout::head(uid))?;
        rows.running()?.remove(&uid.0)?;
    }
    Ok(removed)
}

/// Lets go of the blobs that a session held; the last holder takes the blob along.
fn blobs(rows: &mut Rows<'_>, session: Uid, room: usize) -> Result<usize, Error> {
    let from: [u8; 64] = join(&[&session.0, &[0; 48]]);
    let to: [u8; 64] = join(&[&session.0, &[0xff; 48]]);
    let held: Vec<[u8; 64]> = rows
        .held_blobs()?
        .range::<&[u8; 64]>(&from..=&to)?
        .take(room)
        .map(|row| row.map(|(key, _)| *key.value()))
        .collect::<Result<_, _>>()?;
    for key in &held {
        let blob = &key[16..];
        rows.held_blobs()?.remove(key)?;
        rows.blob_holders()?.remove(&join::<64>(&[blob, &session.0]))?;
        let (first, last): ([u8; 64], [u8; 64]) = (join(&[blob, &[0; 16]]), join(&[blob, &[0xff; 16]]));
        if rows.blob_holders()?.range::<&[u8; 64]>(&first..=&last)?.next().is_none() {
            rows.blobs()?.remove(&join::<48>(&[blob]))?;
        }
    }
    Ok(held.len())
}

/// Buries what is scoped under an agent, and clears its stores.
fn agent(rows: &mut Rows<'_>, tenant: Uid, uid: Uid, room: usize) -> Result<usize, Error> {
    let mut removed = 0;
    for kind in [Kind::Session, Kind::Feedback] {
        removed += below(rows, &join::<33>(&[&tenant.0, &[layout::kind_code(kind)], &uid.0]), uid, room - removed)?;
    }
    Ok(removed)
}

/// Buries the members under a prefix of `members`, then clears the stores of `owner`.
fn below(rows: &mut Rows<'_>, prefix: &[u8], owner: Uid, room: usize) -> Result<usize, Error> {
    let (mut from, mut to) = ([0; 49], [0xff; 49]);
    from[..prefix.len()].copy_from_slice(prefix);
    to[..prefix.len()].copy_from_slice(prefix);
    let members: Vec<[u8; 49]> = rows
        .members()?
        .range::<&[u8; 49]>(&from..=&to)?
        .take(room)
        .map(|row| row.map(|(key, _)| *key.value()))
        .collect::<Result<_, _>>()?;
    for member in &members {
        let uid = layout::last_uid(member);
        let record = rows.records()?.get(&uid.0)?.map(|record| codec::read_record(uid, record.value())).transpose()?;
        match record {
            Some(record) => names::bury(rows, &record)?,
            None => drop(rows.members()?.remove(member)?),
        }
    }
    Ok(members.len() + clear(rows.state()?, &owner.0, room - members.len())?)
}

fn tenants(rows: &mut Rows<'_>, uid: Uid, room: usize) -> Result<usize, Error> {
    let mut removed = below(rows, &uid.0, uid, room)?;
    removed += clear_wide(rows.blobs()?, uid, room - removed)?;
    removed += clear_wide(rows.idempotency()?, uid, room - removed)?;
    Ok(removed)
}

/// Removes rows whose key begins with a uid.
fn clear<V: Value + 'static>(table: &mut Table<'_, &'static [u8], V>, prefix: &[u8; 16], room: usize) -> Result<usize, Error> {
    let keys: Vec<Vec<u8>> = table
        .range::<&[u8]>(prefix.as_slice()..)?
        .take(room)
        .map(|row| row.map(|(key, _)| key.value().to_vec()))
        .take_while(|key| key.as_ref().map_or(true, |key| key.starts_with(prefix)))
        .collect::<Result<_, _>>()?;
    for key in &keys {
        table.remove(key.as_slice())?;
    }
    Ok(keys.len())
}

/// The same for keys of a tenant and a digest.
fn clear_wide<V: Value + 'static>(table: &mut Table<'_, &'static [u8; 48], V>, tenant: Uid, room: usize) -> Result<usize, Error>
where
    &'static [u8; 48]: Key,
{
    let (from, to): ([u8; 48], [u8; 48]) = (join(&[&tenant.0, &[0; 32]]), join(&[&tenant.0, &[0xff; 32]]));
    let keys: Vec<[u8; 48]> =
        table.range::<&[u8; 48]>(&from..=&to)?.take(room).map(|row| row.map(|(key, _)| *key.value())).collect::<Result<_, _>>()?;
    for key in &keys {
        table.remove(key)?;
    }
    Ok(keys.len())
}
