//! What the database's errors mean here.

use std::io;

use ::redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use crate::journal::Error;

impl Error {
    /// Whether the store failed, rather than refused one change: everything in
    /// the same transaction is lost with it.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::StaleLease { .. } | Self::HeadMoved { .. } | Self::Missing { .. } | Self::Gone(_) => false,
            Self::Taken | Self::Conflict | Self::Busy => false,
            Self::Full | Self::Broken(_) | Self::Damaged(_) => true,
        }
    }
}

impl From<::redb::Error> for Error {
    fn from(error: ::redb::Error) -> Self {
        match error {
            ::redb::Error::Io(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::Full,
            ::redb::Error::Corrupted(what) => Self::Damaged(what),
            other => Self::Broken(other.to_string()),
        }
    }
}

macro_rules! through {
    ($($error:ident)+) => { $(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                ::redb::Error::from(error).into()
            }
        }
    )+ };
}

through! { CommitError DatabaseError StorageError TableError TransactionError }
