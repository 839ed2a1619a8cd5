//! The audit log: what every call was allowed and did, as lines chained by hash,
//! apart from the logs. A [`Record`] is put into the store's outbox together with
//! what it is about; the one [`Clerk`] of a server carries it from there into the
//! [`Book`], a directory of files that only grow; [`verify()`] walks the chain.
//! No line holds a value that a client, a model or a tool wrote: digests, names,
//! rules and numbers only.
//!
//! ```
//! use audit::{Book, Head};
//!
//! let directory = tempfile::tempdir()?;
//! let mut book = Book::open(directory.path(), audit::FILE_BYTES, None)?;
//! book.append(&[(None, br#"{"kind":"start"}"#.to_vec())])?;
//! book.sync()?;
//!
//! let report = audit::verify(directory.path())?;
//! assert!(report.fault.is_none());
//! assert_eq!(report.head, Some(book.head()));
//! assert_ne!(book.head(), Head::default());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod book;
pub mod chain;
pub mod clerk;
pub mod line;
pub mod record;
mod verify;

pub use book::{Book, FILE_BYTES};
pub use chain::{Fault, Wrong};
pub use clerk::{Clerk, Options};
pub use line::Head;
pub use record::{Act, Place, Record, Source};
pub use verify::{Report, verify, verify_noted};
