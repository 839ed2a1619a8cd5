//! Sessions that are written before their record: a mark for each, so that no
//! batch for a uid that nobody announced, or that was deleted, is ever taken.

use ::redb::ReadableTable;
use session::Uid;

use super::layout::{self, Rows};
use super::{names, timers};
use crate::directory::Kind;
use crate::journal::Error;

/// Lets a session be written.
pub(super) fn begin(rows: &mut Rows<'_>, session: Uid, tenant: Uid) -> Result<usize, Error> {
    if layout::is_dead(rows.dead()?, tenant)? {
        return Err(Error::Gone(tenant));
    }
    if names::is_used(rows, session)? || self::tenant(rows, session)?.is_some() {
        return Err(Error::Taken);
    }
    rows.begun()?.insert(&session.0, &tenant.0)?;
    Ok(1)
}

/// The tenant of a session that was begun and has no record yet.
pub(super) fn tenant(rows: &mut Rows<'_>, session: Uid) -> Result<Option<Uid>, Error> {
    Ok(rows.begun()?.get(&session.0)?.map(|tenant| Uid(*tenant.value())))
}

/// Leaves what was written of one to be reaped; answers how many there were.
pub(super) fn give_up(rows: &mut Rows<'_>, session: Uid) -> Result<usize, Error> {
    let Some(tenant) = tenant(rows, session)? else { return Ok(0) };
    rows.begun()?.remove(&session.0)?;
    timers::remove(rows, session)?;
    names::dig(rows, session, tenant, Kind::Session)?;
    Ok(1)
}

/// The same for all: the process that began them is no more.
pub(super) fn give_up_all(rows: &mut Rows<'_>) -> Result<(), Error> {
    loop {
        let first = rows.begun()?.first()?.map(|(session, _)| Uid(*session.value()));
        let Some(session) = first else { return Ok(()) };
        give_up(rows, session)?;
    }
}
