//! Small files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readable {
    /// The server's own user alone.
    ByOwner,
    /// Whoever the process's mask lets.
    ByAll,
}

/// Writes a file under another name, makes it durable, and gives it its name.
pub(crate) fn replace(path: &Path, bytes: &[u8], readable: Readable) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = directory.join(format!(".{name}.new-{}", std::process::id()));
    let mode = match readable {
        Readable::ByOwner => 0o600,
        Readable::ByAll => 0o644,
    };
    // A draft of this name can only be left over from a process that is gone; one with other rights must not be reused.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&draft, path)).and_then(|()| File::open(directory)?.sync_all());
    if placed.is_err() {
        // Nobody uses a draft; the error that counts is the first one.
        let _ = fs::remove_file(&draft);
    }
    placed
}

/// Makes a directory that only the server's own user can enter. One that is there stays as it is.
pub(crate) fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The secret in a file, made of `random` and put there where there is none.
pub(crate) fn secret(path: &Path, random: [u8; 32]) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => bytes
            .try_into()
            .map_err(|_| io::Error::other(format!("{} does not hold 32 bytes; remove it to have a new one made", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(path, &random, Readable::ByOwner).map(|()| random),
        Err(error) => Err(error),
    }
}
