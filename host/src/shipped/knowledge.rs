//! The small knowledge base that the shipped `knowledge` plugin searches.

use std::io;
use std::path::Path;

use super::embedded::PAGES;

/// Puts the pages into `directory`, unless there is one already: then it is the operator's own.
pub(crate) fn unpack(directory: &Path) -> io::Result<()> {
    if directory.try_exists()? {
        return Ok(());
    }
    let draft = directory.with_extension(format!("new-{}", std::process::id()));
    std::fs::create_dir_all(&draft)?;
    for (name, page) in PAGES {
        std::fs::write(draft.join(name), page)?;
    }
    std::fs::rename(&draft, directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_are_unpacked_once_and_never_over_the_operators() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("knowledge");
        unpack(&directory).unwrap();
        assert!(directory.join("installation.md").is_file());
        std::fs::remove_file(directory.join("installation.md")).unwrap();
        unpack(&directory).unwrap();
        assert!(!directory.join("installation.md").exists());
    }
}
