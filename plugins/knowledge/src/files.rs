//! The files to search: what lies in the folder now, and a fingerprint of it
//! that changes when any of them does. Nothing is opened here.

use std::{io, path::Path};

use crate::{
    folder::{Facts, Folder, Kind},
    hash::Hash,
};

/// Which of the folder's contents are searched at most. Whoever fills the folder
/// could otherwise use up the memory and time of a call.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Markdown files.
    pub(crate) files: usize,
    /// Bytes of one file; larger ones are left out.
    pub(crate) file_bytes: u64,
    /// Bytes of all files together; those that come later by name are left out.
    pub(crate) bytes: u64,
    /// Names of any kind that are looked at.
    pub(crate) names: usize,
    /// Folders within folders.
    pub(crate) depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 10_000, file_bytes: 4 << 20, bytes: 16 << 20, names: 50_000, depth: 12 }
    }
}

/// One Markdown file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct File {
    /// Inside the folder, with `/` between its parts.
    pub(crate) path: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// When it was last written, in nanoseconds of Unix time; 0 where that is unknown.
    pub(crate) changed_ns: u64,
}

/// The files of a folder, sorted by path.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Those to search.
    pub(crate) kept: Vec<File>,
    /// How many Markdown files are beyond the limits.
    pub(crate) left_out: usize,
    /// Whether parts of the folder were not even looked at.
    pub(crate) cut_short: bool,
}

impl Files {
    /// Lists the folder. Hidden files and folders and linked folders are passed over.
    pub(crate) fn list(root: &Path, limits: &Limits) -> io::Result<Self> {
        let root = Folder::open(root)?;
        let mut files = Self::default();
        let mut names = limits.names;
        let mut inner = files.list_folder(&root, "", &mut names)?;
        for _ in 0..limits.depth {
            for inside in std::mem::take(&mut inner) {
                // A folder that vanished or may not be opened has no files.
                let listed = root.enter(&inside).and_then(|folder| files.list_folder(&folder, &inside, &mut names));
                inner.extend(listed.unwrap_or_default());
            }
        }
        files.cut_short |= !inner.is_empty();
        files.keep_within(limits);
        Ok(files)
    }

    /// Adds the files of one folder, and returns the paths of the folders in it.
    fn list_folder(&mut self, folder: &Folder, inside: &str, names: &mut usize) -> io::Result<Vec<String>> {
        let mut inner = Vec::new();
        for entry in folder.entries()? {
            if *names == 0 {
                self.cut_short = true;
                break;
            }
            *names -= 1;
            if entry.name.starts_with('.') {
                continue;
            }
            let path = || if inside.is_empty() { entry.name.clone() } else { format!("{inside}/{}", entry.name) };
            if entry.kind == Kind::Folder {
                inner.push(path());
            } else if is_markdown(&entry.name)
                && let Some(Facts { bytes, changed_ns }) = folder.facts(&entry)
            {
                self.kept.push(File { path: path(), bytes, changed_ns });
            }
        }
        Ok(inner)
    }

    /// What the index is made of, in one number.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hash = Hash::default();
        for file in &self.kept {
            hash.add(file.path.as_bytes());
            hash.add(&[0]);
            hash.add(&file.bytes.to_le_bytes());
            hash.add(&file.changed_ns.to_le_bytes());
        }
        hash.value()
    }

    fn keep_within(&mut self, limits: &Limits) {
        self.kept.sort_unstable();
        let found = self.kept.len();
        let mut bytes = 0;
        self.kept.retain(|file| {
            let fits = file.bytes <= limits.file_bytes && bytes + file.bytes <= limits.bytes;
            bytes += if fits { file.bytes } else { 0 };
            fits
        });
        self.kept.truncate(limits.files);
        self.left_out = found - self.kept.len();
    }
}

fn is_markdown(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    extension.is_some_and(|it| it.eq_ignore_ascii_case("md") || it.eq_ignore_ascii_case("markdown"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    fn paths(files: &Files) -> Vec<&str> {
        files.kept.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn lists_markdown_in_all_folders_by_name() {
        let folder = Folder::with(&[("b.md", "b"), ("a/c.MD", "c"), ("a/d/e.markdown", "e"), ("a/x.txt", "x")]);
        let files = Files::list(folder.path(), &Limits::default()).unwrap();
        assert_eq!(paths(&files), ["a/c.MD", "a/d/e.markdown", "b.md"]);
        assert_eq!((files.left_out, files.cut_short), (0, false));
    }

    #[test]
    fn passes_over_hidden_files() {
        let folder = Folder::with(&[(".git/a.md", "a"), (".b.md", "b"), ("c.md", "c")]);
        assert_eq!(paths(&Files::list(folder.path(), &Limits::default()).unwrap()), ["c.md"]);
    }

    #[cfg(unix)]
    #[test]
    fn follows_links_to_files_but_not_to_folders() {
        use std::os::unix::{ffi::OsStrExt, fs::symlink};
        let folder = Folder::with(&[("a/b.md", "b")]);
        symlink("a/b.md", folder.path().join("c.md")).unwrap();
        symlink("a", folder.path().join("d")).unwrap();
        symlink("nowhere", folder.path().join("e.md")).unwrap();
        std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff.md")), "f").unwrap();
        assert_eq!(paths(&Files::list(folder.path(), &Limits::default()).unwrap()), ["a/b.md", "c.md"]);
    }

    #[test]
    fn leaves_out_what_is_beyond_the_limits_and_says_so() {
        let folder = Folder::with(&[("a.md", "12345"), ("b.md", "123456789"), ("c.md", "123"), ("d.md", "123")]);
        let limits = Limits { file_bytes: 8, bytes: 9, ..Limits::default() };
        let files = Files::list(folder.path(), &limits).unwrap();
        assert_eq!(paths(&files), ["a.md", "c.md"]);
        assert_eq!(files.left_out, 2);

        let files = Files::list(folder.path(), &Limits { files: 1, ..Limits::default() }).unwrap();
        assert_eq!((paths(&files), files.left_out), (vec!["a.md"], 3));
    }

    #[test]
    fn stops_at_the_limits_of_names_and_depth() {
        let folder = Folder::with(&[("a/b/c.md", "c"), ("d.md", "d"), ("e.md", "e")]);
        let flat = Files::list(folder.path(), &Limits { depth: 1, ..Limits::default() }).unwrap();
        assert_eq!((paths(&flat), flat.cut_short), (vec!["d.md", "e.md"], true));
        assert!(Files::list(folder.path(), &Limits { names: 2, ..Limits::default() }).unwrap().cut_short);
    }

    #[test]
    fn the_fingerprint_changes_with_names_sizes_and_times() {
        let file = File { path: "a.md".into(), bytes: 1, changed_ns: 1 };
        let of = |file: File| Files { kept: vec![file], ..Files::default() }.fingerprint();
        let prints = [
            of(file.clone()),
            of(File { path: "b.md".into(), ..file.clone() }),
            of(File { bytes: 2, ..file.clone() }),
            of(File { changed_ns: 2, ..file }),
            Files::default().fingerprint(),
        ];
        assert!((1..prints.len()).all(|at| !prints[..at].contains(&prints[at])));
    }
}
