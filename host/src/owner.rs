//! The owner's key: made once and kept in a file that only the server's own user
//! can read, or given by the environment. Its text is shown to a terminal only.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::files;

/// The variable that sets it.
pub(crate) const VARIABLE: &str = "WARDIAN_OWNER_KEY";

/// The key's text. Shows itself nowhere; `expose` is the one way to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OwnerKey {
    text: String,
    place: Place,
}

/// Where the key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the environment.
    Variable,
    /// In this file.
    File(PathBuf),
}

impl OwnerKey {
    /// The environment's key, else the file's, else a new one that is put there.
    pub(crate) fn find(variable: Option<String>, path: &Path, random: [u8; 32]) -> anyhow::Result<Self> {
        if let Some(text) = variable.filter(|text| !text.is_empty()) {
            return Ok(Self { text, place: Place::Variable });
        }
        let place = Place::File(path.to_owned());
        match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => Ok(Self { text: text.trim().to_owned(), place }),
            Ok(_) => anyhow::bail!("{} is empty; put the owner's key there, or remove the file to have one made", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Of the form that other keys have, so that scanners for leaked keys find it.
                let text = format!("wrd_{}", data_encoding::HEXLOWER.encode(&random));
                let line = format!("{text}\n");
                files::replace(path, line.as_bytes(), files::Readable::ByOwner)
                    .with_context(|| format!("cannot write the owner's key to {}", path.display()))?;
                Ok(Self { text, place })
            }
            Err(error) => Err(error).with_context(|| format!("cannot read the owner's key from {}", path.display())),
        }
    }

    /// The key itself, for the keyring and for terminals.
    pub(crate) fn expose(&self) -> &str {
        &self.text
    }

    /// Where it is kept.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

impl fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerKey").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_user_can_read_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("owner.key");
        let made = OwnerKey::find(None, &path, [7; 32]).unwrap();
        assert!(made.expose().starts_with("wrd_0707"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(OwnerKey::find(None, &path, [8; 32]).unwrap(), made);
    }

    #[test]
    fn the_environment_wins_and_leaves_the_file_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("owner.key");
        let given = OwnerKey::find(Some("a-key-of-my-own-choice".into()), &path, [7; 32]).unwrap();
        assert_eq!((given.expose(), given.place()), ("a-key-of-my-own-choice", &Place::Variable));
        assert!(!path.exists());
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let place = tempfile::tempdir().unwrap();
        let key = OwnerKey::find(Some("hush-hush-hush-hush".into()), place.path(), [7; 32]).unwrap();
        assert!(!format!("{key:?}").contains("hush"));
    }

    #[test]
    fn an_empty_key_file_is_an_error_and_no_key() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("owner.key");
        std::fs::write(&path, "\n").unwrap();
        assert!(OwnerKey::find(None, &path, [7; 32]).unwrap_err().to_string().contains("is empty"));
    }
}
