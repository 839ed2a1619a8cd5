//! Secrets: where they are, and their values. This crate reads neither the
//! environment nor files: whoever acts on a permit hands in how to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a secret's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: a variable of the server's environment.
    Env(String),
    /// `file:PATH`: a file's text, without the line end at its end.
    File(PathBuf),
}

/// A secret's value. Shows itself nowhere; `expose` is the one way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The reference has another form.
    #[error("a secret is named by `env:NAME` or `file:PATH`, never written out")]
    Form,
    /// There is no such variable, or it is empty.
    #[error("the environment variable {0} is not set")]
    Unset(String),
    /// The file cannot be read.
    #[error("cannot read the secret from {path}: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
    /// The value is empty, too long, or holds control characters.
    #[error("the value is empty, longer than 8 KiB, or holds control characters")]
    Unfit,
}

/// The longest value: it has to fit into a header.
const SECRET_BYTES_MAX: usize = 8 << 10;

impl FromStr for SecretRef {
    type Err = SecretError;

    // The text is not repeated in the error: it may be the secret itself.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains(['=', '\0']) => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() && !path.contains('\0') => Ok(Self::File(path.into())),
            _ => Err(SecretError::Form),
        }
    }
}

impl SecretRef {
    /// The same reference with a relative file under `base`.
    pub fn under(self, base: &Path) -> Self {
        match self {
            Self::Env(name) => Self::Env(name),
            Self::File(path) => Self::File(base.join(path)),
        }
    }

    /// The value, read by the caller's two functions.
    pub fn resolve(
        &self,
        env: impl FnOnce(&str) -> Option<String>,
        read: impl FnOnce(&Path) -> std::io::Result<String>,
    ) -> Result<Secret, SecretError> {
        let value = match self {
            Self::Env(name) => env(name).filter(|value| !value.is_empty()).ok_or_else(|| SecretError::Unset(name.clone()))?,
            Self::File(path) => {
                read(path).map_err(|error| SecretError::Unreadable { path: path.clone(), why: error.to_string() })?.trim_end().to_owned()
            }
        };
        Secret::new(value)
    }
}

impl Secret {
    /// A value that fits into a header.
    pub fn new(value: String) -> Result<Self, SecretError> {
        if value.is_empty() || value.len() > SECRET_BYTES_MAX || value.chars().any(char::is_control) {
            return Err(SecretError::Unfit);
        }
        Ok(Self(value))
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_says_where_and_a_value_is_never_taken_for_one() {
        assert_eq!("env:KEY".parse(), Ok(SecretRef::Env("KEY".into())));
        assert_eq!("file:k".parse::<SecretRef>().map(|it| it.under(Path::new("/etc"))), Ok(SecretRef::File("/etc/k".into())));
        let error = "sk-live-12345".parse::<SecretRef>().unwrap_err();
        assert!(!error.to_string().contains("sk-live"));
    }

    #[test]
    fn a_value_is_read_by_the_callers_functions_and_never_shown() {
        let env = SecretRef::Env("KEY".into());
        let secret = env.resolve(|_| Some("hush".into()), |_| unreachable!()).unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}")), ("hush", "Secret(…)".to_owned()));
        assert_eq!(env.resolve(|_| None, |_| unreachable!()), Err(SecretError::Unset("KEY".into())));
        let file = SecretRef::File("k".into());
        assert_eq!(file.resolve(|_| None, |_| Ok("hush\n".into())).unwrap().expose(), "hush");
        assert_eq!(file.resolve(|_| None, |_| Ok("a\r\nb: c".into())), Err(SecretError::Unfit));
    }
}
