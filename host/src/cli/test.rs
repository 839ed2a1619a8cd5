//! `wardian test`: plays all recordings of a project against its component as it
//! is now built, without the network, and tells in what it differs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use author::Error;
use author::differences::{differences, shown};
use author::recording::{Asked, Recording, Unheard, outcome};
use futures_util::stream::{self, StreamExt};
use tool::{CallSink, ToolReply};

use super::Told;
use super::call::refused;
use super::table::plain;
use crate::trial::{Artefact, Terms, Trial, terms_of};

/// Recordings that are played at the same time.
const AT_ONCE: usize = 8;

/// Recordings of one project; more are no tests but an archive.
const RECORDINGS_MAX: usize = 2_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A recording is made by `wardian call . TOOL '{…}' --record recordings/NAME.json`: the arguments,
what was granted, what the plugin heard of the world, and what came of it. Nothing is built here,
and nothing is asked of the network.

Examples:
  wardian build && wardian test
  wardian test greet                 only the recordings whose names begin so
  wardian test --accept              what comes now is right: write it into the recordings

Exit codes: 0 all as recorded, 1 something differs, 2 wrong usage.")]
pub(super) struct Args {
    /// Only recordings whose names begin with one of these
    names: Vec<String>,
    /// The project's folder, or a component
    #[arg(long, value_name = "PATH", default_value = ".")]
    project: PathBuf,
    /// Where the recordings lie [default: recordings in the project's folder]
    #[arg(long, value_name = "DIR")]
    recordings: Option<PathBuf>,
    /// Write what comes now into the recordings
    #[arg(long)]
    accept: bool,
}

/// A recording to be played.
struct Entry {
    file: PathBuf,
    name: String,
    recording: Recording,
    terms: Place,
}

/// Where the terms of a recording stand: the group, and the index in it.
#[derive(Debug, Clone, Copy)]
struct Place {
    group: usize,
    index: usize,
}

/// The terms of all recordings, each once. A group is played under one policy; nearly
/// always there is one, and more where recordings disagree about a secret.
#[derive(Default)]
struct Groups {
    known: Vec<(toml::Table, Vec<String>, Place)>,
    groups: Vec<Vec<Terms>>,
}

impl Groups {
    /// Where the terms of a recording stand, if they are known.
    fn find(&self, recording: &Recording) -> Option<Place> {
        let same = |known: &&(toml::Table, Vec<String>, Place)| (&known.0, &known.1) == (&recording.grants, &recording.secrets);
        self.known.iter().find(same).map(|known| known.2)
    }

    /// Takes up the terms of a recording.
    fn add(&mut self, recording: &Recording, terms: Terms) -> Place {
        let group = self.groups.iter().position(|group| group.iter().all(|others| others.agree(&terms)));
        let group = group.unwrap_or_else(|| {
            self.groups.push(Vec::new());
            self.groups.len() - 1
        });
        self.groups[group].push(terms);
        let place = Place { group, index: self.groups[group].len() - 1 };
        self.known.push((recording.grants.clone(), recording.secrets.clone(), place));
        place
    }
}

/// What came of one.
enum Verdict {
    Same,
    /// Text for people, and the recording as it would have to be; none where it has to be made anew.
    Differs(String, Option<Box<Recording>>),
    Failed(String),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let began = Instant::now();
    let artefact = Artefact::find(&args.project)?;
    let here = std::env::current_dir().context("cannot find the current directory")?;
    let root = artefact.project.as_ref().map_or(here, |project| project.root.clone());
    let folder = args.recordings.clone().unwrap_or_else(|| root.join("recordings"));
    let files = listed(&folder, &args.names)?;
    let place = tempfile::tempdir().context("cannot make a temporary directory")?;
    let (mut entries, mut groups, mut failed) = (Vec::new(), Groups::default(), 0);
    for (name, file) in files {
        match entry(&artefact, &file, &root, place.path(), &mut groups) {
            Ok((recording, terms)) => entries.push(Entry { file, name, recording, terms }),
            Err(error) => {
                failed += 1;
                println!("cannot be played  {name}\n    {}", plain(&format!("{error:#}")));
            }
        }
    }
    if entries.is_empty() {
        return Err(Told.into());
    }
    let mut tally = Tally { failed, ..Tally::default() };
    let mut opened = Duration::ZERO;
    for (number, terms) in groups.groups.iter().enumerate() {
        let opening = Instant::now();
        let trial = Trial::open(&artefact, terms).await?;
        if let Some(why) = trial.refusal() {
            return Err(refused(&artefact, &why).into());
        }
        opened += opening.elapsed();
        let entries = entries.extract_if(.., |entry| entry.terms.group == number).collect::<Vec<_>>();
        let mut played = stream::iter(entries).map(|entry| judged(&trial, entry)).buffered(AT_ONCE);
        while let Some((entry, verdict, wall_us)) = played.next().await {
            tally.tell(&entry, verdict, wall_us, args.accept)?;
        }
    }
    let (opened, whole) = (opened.as_millis(), began.elapsed().as_millis());
    println!("{} in {whole} ms, {opened} of them to open the component", tally.text());
    if tally.differ + tally.failed == 0 { Ok(()) } else { Err(Told.into()) }
}

/// The recordings by name, in order.
fn listed(folder: &Path, names: &[String]) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: PathBuf| Some((path.file_stem()?.to_str()?.to_owned(), path));
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "json")).filter_map(named).collect();
    files.retain(|(name, _)| names.is_empty() || names.iter().any(|begin| name.starts_with(begin)));
    files.sort();
    if files.is_empty() {
        let why = if names.is_empty() { "there is no recording in it" } else { "there is no recording of such a name in it" };
        return Err(Error::at(folder, why, "make one with `wardian call . TOOL '{…}' --record recordings/NAME.json`").into());
    }
    if files.len() > RECORDINGS_MAX {
        return Err(Error::at(folder, format!("it holds more than {RECORDINGS_MAX} recordings"), "name some of them").into());
    }
    Ok(files)
}

/// Reads a recording, and finds its terms among those that there are.
fn entry(artefact: &Artefact, file: &Path, root: &Path, place: &Path, groups: &mut Groups) -> anyhow::Result<(Recording, Place)> {
    let recording = Recording::read(file)?;
    let place = match groups.find(&recording) {
        Some(known) => known,
        None => {
            let terms = terms_of(&recording, file, root, place)?;
            terms.check(&artefact.name)?;
            groups.add(&recording, terms)
        }
    };
    Ok((recording, place))
}

async fn judged(trial: &Trial, entry: Entry) -> (Entry, Verdict, u64) {
    match trial.play(entry.terms.index, &entry.recording, Arc::new(Unwatched)).await {
        Err(error) => (entry, Verdict::Failed(format!("{error:#}")), 0),
        Ok((reply, unheard)) => {
            let verdict = verdict(&entry.recording, &reply, &unheard);
            (entry, verdict, reply.usage.wall_us)
        }
    }
}

fn verdict(recording: &Recording, reply: &ToolReply, unheard: &Unheard) -> Verdict {
    let now = outcome(reply, &recording.mask());
    let differ = differences(&recording.outcome, &now);
    if differ.is_empty() && *unheard == Unheard::default() {
        return Verdict::Same;
    }
    let line = |what: &str, asked: &Asked| format!("{what}: {} {}\n", asked.method, asked.url);
    let mut text: String = unheard.unknown.iter().map(|asked| line("a request that was not recorded, and was refused", asked)).collect();
    text.extend(unheard.missing.iter().map(|asked| line("a request that was recorded, and is not made", asked)));
    text += &shown(&differ);
    // What it would have heard of a request that nobody answered is not known.
    let accepted = unheard.unknown.is_empty().then(|| {
        let mut http = recording.http.clone();
        for asked in &unheard.missing {
            if let Some(index) = http.iter().rposition(|exchange| exchange.request == *asked) {
                http.remove(index);
            }
        }
        Box::new(Recording { outcome: now, http, ..recording.clone() })
    });
    Verdict::Differs(text, accepted)
}

/// How many were what.
#[derive(Default)]
struct Tally {
    same: usize,
    differ: usize,
    accepted: usize,
    failed: usize,
}

impl Tally {
    fn tell(&mut self, entry: &Entry, verdict: Verdict, wall_us: u64, accept: bool) -> anyhow::Result<()> {
        let (name, ms) = (plain(&entry.name), wall_us as f64 / 1000.0);
        let indented = |text: &str| plain(text).lines().map(|line| format!("    {line}\n")).collect::<String>();
        match verdict {
            Verdict::Same => {
                self.same += 1;
                println!("as recorded       {name}  {ms:.1} ms");
            }
            Verdict::Differs(text, Some(now)) if accept => {
                now.write(&entry.file, &author::mask::Mask::default())?;
                self.accepted += 1;
                print!("accepted          {name}  {ms:.1} ms\n{}", indented(&text));
            }
            Verdict::Differs(text, accepted) => {
                self.differ += 1;
                print!("differs           {name}  {ms:.1} ms\n{}", indented(&text));
                if accepted.is_none() && accept {
                    println!("    it asks for something that was not recorded; record the call anew");
                }
            }
            Verdict::Failed(why) => {
                self.failed += 1;
                print!("cannot be played  {name}\n{}", indented(&why));
            }
        }
        Ok(())
    }

    fn text(&self) -> String {
        let all = self.same + self.differ + self.accepted + self.failed;
        let parts = [(self.same, "as recorded"), (self.accepted, "accepted"), (self.differ, "different"), (self.failed, "not playable")];
        let parts: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        format!("{all} recording{}: {}", if all == 1 { "" } else { "s" }, parts.join(", "))
    }
}

/// Nobody watches a recording that is played.
struct Unwatched;

#[async_trait::async_trait]
impl CallSink for Unwatched {
    fn progress(&self, _share: Option<f32>, _note: &str) {}

    fn cancelled(&self) -> bool {
        false
    }

    async fn gone(&self) {
        std::future::pending().await
    }
}
