//! How long a search takes: over about 10 MB of made-up Markdown with words as
//! unevenly spread as those of a language. Prints, asserts nothing.
//!
//! `cargo bench -p knowledge --bench search [-- FOLDER]`; with a folder its files
//! are searched, and where there is none yet, it is filled and kept.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

const FILES: u64 = 400;
const FILE_BYTES: usize = 25_000;
const VOCABULARY: u64 = 60_000;

const QUERIES: [&str; 5] = [
    "I'm having trouble with my widget installation.",
    "baku",
    "baku delo fimo gupa hora jilu komi lanu mopi naru",
    "wigdet instalation",
    "nothing like this anywhere",
];

fn main() -> io::Result<()> {
    let given = env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = given.as_ref().map_or_else(|| env::temp_dir().join("knowledge-bench"), PathBuf::from);
    if !folder.exists() {
        fill(&folder)?;
    }
    for query in QUERIES {
        for call in ["first", "second", "third"] {
            let begin = Instant::now();
            let found = knowledge::search::search(&folder, query, 5).map_err(io::Error::other)?;
            let took = begin.elapsed();
            println!("{query:?}, {call} call: {} results in {took:.1?}", found.results.len());
        }
    }
    if given.is_none() {
        fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

fn fill(folder: &Path) -> io::Result<()> {
    let mut random = Random(1);
    for file in 0..FILES {
        let section = folder.join(format!("section-{}", file % 10));
        fs::create_dir_all(&section)?;
        fs::write(section.join(format!("article-{file}.md")), article(file, &mut random))?;
    }
    fs::write(folder.join("guide.md"), "# Widget Installation Guide\n\nCommon troubleshooting steps.\n")
}

fn article(number: u64, random: &mut Random) -> String {
    let mut text = format!("# Article {number} on {}\n", word(random.rank()));
    while text.len() < FILE_BYTES {
        text.push_str(&format!("\n## {} {}\n", word(random.rank()), word(random.rank())));
        for _ in 0..1 + random.below(6) {
            text.push('\n');
            for _ in 0..20 + random.below(100) {
                text.push_str(&word(random.rank()));
                text.push(' ');
            }
            text.push('\n');
        }
    }
    text
}

/// A pronounceable word; frequent ones are short.
fn word(mut rank: u64) -> String {
    let mut word = String::new();
    while rank > 0 || word.len() < 4 {
        word.push("bdfghjklmnprstvz".as_bytes()[(rank % 16) as usize].into());
        word.push("aeiou".as_bytes()[(rank / 16 % 5) as usize].into());
        rank /= 80;
    }
    word
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Small numbers are more frequent, as Zipf observed.
    fn rank(&mut self) -> u64 {
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        ((VOCABULARY as f64).powf(share)) as u64
    }
}
