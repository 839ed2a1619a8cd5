//! One search: look at the folder, open the index of what lies there or make it,
//! and read the passages found from their files.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::Serialize;
use wardian_plugin::{Error, cache, feedback, log};

use crate::{
    files::{Files, Limits},
    folder::Folder,
    index::{Builder, Hit, Index, Pages, Source, Unreadable},
};

/// The names under which the operator's folder may appear.
const ROOTS: [&str; 2] = ["/knowledge", "knowledge"];

/// The passages found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Best first.
    pub results: Vec<Passage>,
    /// Something to know about the search as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One passage.
#[derive(Debug, Serialize)]
pub struct Passage {
    /// The document's title and the headings above the passage.
    pub title: String,
    /// The text as it stands in the file.
    pub content: String,
    /// The file inside the folder.
    pub path: String,
    /// How well it fits.
    pub score: f64,
}

/// The folder that the operator granted.
pub fn granted_root() -> Result<PathBuf, Error> {
    ROOTS.iter().map(PathBuf::from).find(|root| Folder::open(root).is_ok()).ok_or_else(|| {
        Error::unauthorized(
            "there is no knowledge base to search: the operator has not granted this plugin a folder \
             (a `[[plugin.knowledge.files]]` entry with guest = \"knowledge\" and access = \"read\")",
        )
        .code("not_granted")
    })
}

/// Searches the Markdown files below `root`.
pub fn search(root: &Path, query: &str, results_max: usize) -> Result<Found, Error> {
    let limits = Limits::default();
    let files = Files::list(root, &limits).map_err(|error| Error::unavailable(format!("cannot list the knowledge base: {error}")))?;
    let (hits, incomplete) = find(root, &files, query, results_max)
        .map_err(|Unreadable| Error::failed("the index of the knowledge base cannot be read although it was just made"))?;
    let results = hits.into_iter().filter_map(|hit| read(root, hit)).collect();
    Ok(Found { results, note: note(&files, &limits, incomplete) })
}

/// The hits, and whether there is more than the index holds. The index is made
/// anew if there is none of just these files, or none that can be read.
fn find(root: &Path, files: &Files, query: &str, hits_max: usize) -> Result<(Vec<Hit>, bool), Unreadable> {
    let look_up = |pages| {
        let index = Index::open(pages)?;
        Ok((index.find(query, hits_max)?, index.is_incomplete()))
    };
    let fingerprint = files.fingerprint();
    look_up(Pages::of(Source::Cache, fingerprint)).or_else(|Unreadable| {
        let pages = build(root, files, fingerprint);
        keep(&pages);
        look_up(Pages::of(Source::Memory(pages), fingerprint))
    })
}

fn keep(pages: &[u8]) {
    match Pages::store(pages) {
        Ok(()) => log::info(format!("made an index of {} bytes", pages.len())),
        Err(cache::Error::Denied) => log::debug("no cache is granted: the index serves this call only"),
        Err(error) => log::warn(format!("cannot keep the index of {} bytes: {error:?}", pages.len())),
    }
}

fn build(root: &Path, files: &Files, fingerprint: u64) -> Vec<u8> {
    feedback::progress(None, &format!("indexing {} files of the knowledge base", files.kept.len()));
    let mut builder = Builder::default();
    for file in &files.kept {
        match fs::read(root.join(&file.path)) {
            Ok(bytes) => builder.add(&file.path, &in_place(bytes)),
            Err(error) => log::warn(format!("cannot read {}: {error}", file.path)),
        }
    }
    builder.finish(fingerprint)
}

/// The text of a file in which every valid character keeps its place.
fn in_place(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut text = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
        text
    })
}

/// None if the file is gone since it was listed.
fn read(root: &Path, hit: Hit) -> Option<Passage> {
    let mut file = File::open(root.join(&hit.path)).ok()?;
    file.seek(SeekFrom::Start(hit.start)).ok()?;
    let mut bytes = vec![0; hit.bytes];
    file.read_exact(&mut bytes).ok()?;
    Some(Passage {
        title: without_nul(hit.title),
        content: without_nul(String::from_utf8_lossy(&bytes).into_owned()),
        path: hit.path,
        score: (f64::from(hit.score) * 1000.0).round() / 1000.0,
    })
}

/// The contract does not allow U+0000 in JSON.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

fn note(files: &Files, limits: &Limits, incomplete: bool) -> Option<String> {
    if files.cut_short {
        Some(format!(
            "parts of the knowledge base were not searched: it has more than {} names, or folders more than {} deep",
            limits.names, limits.depth
        ))
    } else if files.left_out > 0 {
        Some(format!(
            "{} files of the knowledge base were not searched: at most {} files, {} MiB each and {} MiB together are",
            files.left_out,
            limits.files,
            limits.file_bytes >> 20,
            limits.bytes >> 20
        ))
    } else if incomplete {
        Some("the knowledge base is too large to be searched completely".to_owned())
    } else if files.kept.is_empty() {
        Some("the knowledge base holds no Markdown files".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    fn first(folder: &Folder, query: &str) -> Option<String> {
        let found = search(folder.path(), query, 5).unwrap();
        found.results.into_iter().next().map(|passage| passage.title)
    }

    fn shelf() -> Folder {
        Folder::with(&[
            ("pumps.md", "# Pumps\n\nA pump moves water.\n\n## Priming\n\nFill the pump before you start it.\n"),
            ("lamps.md", "# Lamps\n\nA lamp gives light. Troubleshooting is rarely needed.\n"),
            ("more/ropes.md", "# Ropes\n\nA rope holds the lamp over the water.\n"),
        ])
    }

    #[test]
    fn the_passage_that_fits_best_comes_first() {
        let shelf = shelf();
        assert_eq!(first(&shelf, "how do I prime a pump?").as_deref(), Some("Pumps > Priming"));
        assert_eq!(first(&shelf, "ropes").as_deref(), Some("Ropes"));
        assert_eq!(first(&shelf, "water moving").as_deref(), Some("Pumps"));
    }

    #[test]
    fn a_passage_says_where_it_stands() {
        let found = search(shelf().path(), "rope", 5).unwrap();
        assert_eq!(found.results.len(), 1);
        let passage = &found.results[0];
        assert_eq!(passage.content, "A rope holds the lamp over the water.");
        assert_eq!(passage.path, "more/ropes.md");
        assert!(passage.score > 0.0);
        assert_eq!(found.note, None);
    }

    #[test]
    fn the_beginning_of_a_word_and_a_slip_are_enough() {
        let shelf = shelf();
        assert_eq!(first(&shelf, "trouble").as_deref(), Some("Lamps"));
        assert_eq!(first(&shelf, "trubleshooting").as_deref(), Some("Lamps"));
    }

    #[test]
    fn nothing_fitting_is_an_empty_answer() {
        let shelf = shelf();
        assert_eq!(first(&shelf, "zeppelin"), None);
        assert_eq!(first(&shelf, "?!"), None);
        assert_eq!(first(&shelf, "what is the"), None);
    }

    #[test]
    fn at_most_the_wanted_number_is_returned() {
        assert_eq!(search(shelf().path(), "pump lamp rope water", 2).unwrap().results.len(), 2);
    }

    #[test]
    fn a_change_of_the_files_shows_in_the_next_answer() {
        let shelf = shelf();
        assert_eq!(first(&shelf, "zeppelin"), None);
        shelf.write("air.md", "# Air\n\nA zeppelin flies.\n");
        assert_eq!(first(&shelf, "zeppelin").as_deref(), Some("Air"));
        shelf.write("air.md", "# Sky\n\nThe zeppelin flies on.\n");
        assert_eq!(first(&shelf, "zeppelin").as_deref(), Some("Sky"));
        shelf.remove("air.md");
        assert_eq!(first(&shelf, "zeppelin"), None);
    }

    #[test]
    fn the_kept_index_answers_as_the_new_one_did() {
        let shelf = shelf();
        let answers = || format!("{:?}", search(shelf.path(), "lamp water pump", 5).unwrap());
        let built = answers();
        assert_eq!(cache::names().unwrap(), ["index"]);
        assert_eq!(answers(), built);
    }

    #[test]
    fn a_damaged_index_is_made_anew() {
        let shelf = shelf();
        let answer = first(&shelf, "priming");
        let good = cache::read("index", 0, u32::MAX).unwrap().unwrap();
        let middle = good.len() / 2;
        for bad in [vec![], b"nonsense".to_vec(), good[..middle].to_vec(), vec![0xff; 100_000]] {
            cache::write("index", &bad).unwrap();
            assert_eq!(first(&shelf, "priming"), answer);
            assert_eq!(cache::read("index", 0, u32::MAX).unwrap().unwrap(), good);
        }
        for at in (0..good.len()).step_by(7) {
            let mut flipped = good.clone();
            flipped[at] ^= 0x10;
            cache::write("index", &flipped).unwrap();
            assert_eq!(first(&shelf, "priming"), answer);
        }
    }

    #[test]
    fn an_empty_folder_is_answered_with_a_note() {
        let found = search(Folder::with(&[]).path(), "pump", 5).unwrap();
        assert!(found.results.is_empty());
        assert_eq!(found.note.as_deref(), Some("the knowledge base holds no Markdown files"));
    }

    #[test]
    fn what_was_not_searched_is_said() {
        let limits = Limits::default();
        let files = |left_out, cut_short| Files { left_out, cut_short, ..Files::default() };
        assert!(note(&files(3, false), &limits, false).unwrap().starts_with("3 files"));
        assert!(note(&files(0, true), &limits, false).unwrap().contains("50000 names"));
        assert!(note(&files(0, false), &limits, true).unwrap().contains("too large"));
    }

    #[test]
    fn text_that_is_not_utf_8_is_searched_as_far_as_it_can_be_read() {
        let folder = Folder::with(&[]);
        fs::write(folder.path().join("a.md"), b"# A\n\nCaf\xe9 \0 and \xff\xfe tea\n\n## B\n\nCoffee\n").unwrap();
        let found = search(folder.path(), "tea", 5).unwrap();
        assert_eq!(found.results[0].content, "Caf\u{FFFD}  and \u{FFFD}\u{FFFD} tea");
        assert_eq!(search(folder.path(), "coffee", 5).unwrap().results[0].content, "Coffee");
    }

    #[test]
    fn without_a_granted_folder_the_operator_is_named() {
        let error = granted_root().unwrap_err();
        assert_eq!(error.code.as_deref(), Some("not_granted"));
        assert_eq!(error.reason, wardian_plugin::Reason::Unauthorized);
    }
}
