//! `wardian init`: the implicit configuration as a commented file.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;

use crate::config::{DEFAULT_FILE, EXAMPLE, Sources};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every setting is switched off and stands at its default; remove the # to switch it on.
A file that exists is never overwritten. `wardian serve --check` says whether it is right.")]
pub(super) struct Args {
    /// Where to write it
    #[arg(default_value = DEFAULT_FILE)]
    file: PathBuf,
}

pub(super) fn run(args: &Args, sources: &Sources) -> anyhow::Result<()> {
    let path = sources.here.join(&args.file);
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = match created {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            anyhow::bail!("{} exists already and stays as it is; name another file, or remove it first", path.display())
        }
        created => created.with_context(|| format!("cannot create {}", path.display()))?,
    };
    file.write_all(EXAMPLE.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    println!("wrote {}; it changes nothing until you edit it", args.file.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn a_file_that_exists_is_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let sources = Sources { flags: Flags::default(), environment: Vec::new(), here: place.path().to_owned() };
        let args = Args { file: DEFAULT_FILE.into() };
        run(&args, &sources).unwrap();
        assert_eq!(std::fs::read_to_string(place.path().join(DEFAULT_FILE)).unwrap(), EXAMPLE);
        sources.load().unwrap();
        std::fs::write(place.path().join(DEFAULT_FILE), "# mine\n").unwrap();
        assert!(run(&args, &sources).unwrap_err().to_string().contains("exists already"));
        assert_eq!(std::fs::read_to_string(place.path().join(DEFAULT_FILE)).unwrap(), "# mine\n");
    }
}
