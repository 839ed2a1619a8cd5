//! `wardian call`: one call of one tool, without a server: the same sandbox, the
//! same limits, and nothing granted but what the command line says.

mod live;
mod shown;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use author::Error;
use author::mask::Mask;
use author::recording::{Recorder, Recording, recordable};
use tool::tape::Tape;
use tool::{Ports, ToolReply, ToolSpec};

use super::{Told, table};
use crate::trial::{Artefact, Flags, Identity, Memory, Recorded, Terms, Trial, Unclear, terms_of};
use live::Live;

/// The longest input; the sandbox takes no longer one.
const INPUT_BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  wardian call .                                               the tools of the project in this folder
  wardian call dist/hello.wasm greet '{\"name\": \"Ada\"}'
  wardian call web.wasm web_fetch @page.json --grant 'http GET https://example.com/*' --trace
  wardian call notes.wasm note_write - --grant store --store notes.json < note.json
  wardian call pay.wasm pay @bill.json --secret key=env:PAY_KEY --grant 'secret key'

What can be granted:
  http METHOD[,METHOD] URL             * stands for any run of characters
  files read|write DIRECTORY as NAME [QUOTA]   a name with blanks between quotes of its own
  secret NAME                          the plugin sees the value that --secret NAME=FROM names
  store [session|agent|plugin [QUOTA]]
  cache [QUOTA]                        empty at the beginning of each call

A header that carries a secret for the plugin is written as in wardian.toml, and taken with --policy.
Exit codes: 0 the tool answered, 1 it did not, 2 wrong usage.")]
pub(super) struct Args {
    /// A component, or the folder of a project that was built
    file: PathBuf,
    /// The tool; without one, the tools are listed
    tool: Option<String>,
    /// Its arguments: a JSON object, - for standard input, or @FILE [default: {}]
    input: Option<String>,
    #[command(flatten)]
    granted: Flags,
    /// Keep the plugin's store in this file from one call to the next; made if it is not there
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
    /// Write the call into this file: the arguments, what the plugin heard of the world, and what came of it
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Make the call that was recorded in this file again, without the world
    #[arg(long, value_name = "FILE", conflicts_with_all = ["tool", "input", "record", "store"])]
    replay: Option<PathBuf>,
    /// Show what the plugin asks of the host, its requests, its log and its progress, as they come
    #[arg(long)]
    trace: bool,
    /// Write files that the tool answers with into this folder; --json names them as `blob`
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Everything as one JSON object
    #[arg(long)]
    json: bool,
}

/// A component that an author named, or the one sentence about why it cannot be tried.
pub(super) fn refused(artefact: &Artefact, why: &str) -> Error {
    let next = "`wardian build` makes it anew";
    // A reader's messages run over several lines, and this is to be one sentence.
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let (reason, next) = match why.rsplit_once("; ") {
        Some((reason, next)) => (reason, next),
        None => (&*why, next),
    };
    // What an operator writes into a file, an author gives as a flag.
    let shape = ["functions", "command"].into_iter().find(|shape| next.contains(&format!("write shape = \"{shape}\"")));
    let next = shape.map_or_else(|| next.to_owned(), |shape| format!("here, give --shape {shape}; in a server, {next}"));
    Error::at(&artefact.file, table::plain(reason), table::plain(&next))
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let artefact = Artefact::find(&args.file)?;
    match &args.replay {
        Some(file) => replay(&args, &artefact, file).await,
        None => call(&args, &artefact).await,
    }
}

async fn call(args: &Args, artefact: &Artefact) -> anyhow::Result<()> {
    let terms = args.granted.terms(&artefact.name)?;
    let mask = Mask::new(terms.values().into_iter().map(|(name, value)| (name, value.expose().to_owned())));
    let input = input(args.input.as_deref())?;
    let store = Arc::new(Memory::open(args.store.as_deref())?);
    if let Some(file) = &args.record {
        recordable(file, &mask)?;
        terms.recordable(file)?;
    }
    // What a call has done is not undone because its traces cannot be kept.
    [&args.record, &args.store].into_iter().flatten().try_for_each(|file| writable(file))?;
    let trial = opened(artefact, &terms).await?;
    let tools = trial.tools();
    let Some(name) = &args.tool else {
        shown::tools(&tools, args.json);
        return Ok(());
    };
    known(artefact, &tools, name)?;

    let live = Arc::new(Live::new(args.trace, mask.clone()));
    let recorder = args.record.is_some().then(|| Arc::new(Recorder::new(agent::Clock.random(), mask.clone())));
    let tape = recorder.clone().map(|recorder| recorder as Arc<dyn Tape>);
    let (identity, before) = (Identity::new(), store.values());
    let ports = Ports { store: store.clone(), sink: live.clone(), tape };
    let reply = trial.call(0, name, &input, identity.clone(), ports).await;
    store.commit(&reply.writes);
    store.save(args.store.as_deref())?;
    show(args, &mask, &live, artefact, &reply)?;
    if let (Some(file), Some(recorder)) = (&args.record, &recorder) {
        let recorded = Recorded { tool: name, input: &input, terms: &terms, identity, store: before, recorder, reply: &reply };
        recorded.write(file, &mask)?;
        eprintln!("recorded in {}", file.display());
    }
    if reply.end.is_done() { Ok(()) } else { Err(Told.into()) }
}

/// Whether a file can be written, as far as that is known before. Folders that are not there yet will be made.
fn writable(file: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!file.is_dir(), "{} is a directory; name a file in it", file.display());
    let folder = file.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(folder).with_context(|| format!("{} cannot be written; name a file in a folder that can", file.display()))?;
    Ok(())
}

async fn replay(args: &Args, artefact: &Artefact, file: &Path) -> anyhow::Result<()> {
    let recording = Recording::read(file)?;
    let place = tempfile::tempdir().context("cannot make a temporary directory")?;
    let here = std::env::current_dir().context("cannot find the current directory")?;
    let root = artefact.project.as_ref().map_or(here, |project| project.root.clone());
    let terms = terms_of(&recording, file, &root, place.path())?;
    let trial = opened(artefact, &terms).await?;
    known(artefact, &trial.tools(), &recording.tool)?;
    let live = Arc::new(Live::new(args.trace, Mask::default()));
    let (reply, unheard) = trial.play(0, &recording, live.clone()).await?;
    for asked in &unheard.unknown {
        eprintln!("not in the recording, and refused: {} {}", table::plain(&asked.method), table::plain(&asked.url));
    }
    show(args, &Mask::default(), &live, artefact, &reply)?;
    if reply.end.is_done() { Ok(()) } else { Err(Told.into()) }
}

async fn opened(artefact: &Artefact, terms: &Terms) -> anyhow::Result<Trial> {
    let trial = Trial::open(artefact, std::slice::from_ref(terms)).await?;
    match trial.refusal() {
        Some(why) => Err(refused(artefact, &why).into()),
        None => Ok(trial),
    }
}

fn show(args: &Args, mask: &Mask, live: &Live, artefact: &Artefact, reply: &ToolReply) -> anyhow::Result<()> {
    let shown = shown::Shown { mask, denials: live.denials(), plugin: &artefact.name };
    let files = args.output.as_deref().map(|folder| shown::write(reply, folder)).transpose()?.unwrap_or_default();
    if args.json {
        println!("{:#}", shown.json(reply, &files));
    } else {
        shown.print(reply, &files);
    }
    Ok(())
}

/// Whether there is such a tool; else which there are.
fn known(artefact: &Artefact, tools: &[Arc<ToolSpec>], name: &str) -> anyhow::Result<()> {
    if tools.iter().any(|tool| tool.id.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = tools.iter().map(|tool| &*tool.id.name).collect();
    Err(Unclear(format!("{} has no tool {name:?}; it has {}", artefact.file.display(), names.join(", "))).into())
}

/// The arguments: as they are written, from standard input or from a file.
fn input(text: Option<&str>) -> anyhow::Result<String> {
    let (text, from) = match text {
        None => ("{}".to_owned(), "the arguments".to_owned()),
        Some("-") => (whole(std::io::stdin(), "standard input")?, "standard input".to_owned()),
        Some(text) => match text.strip_prefix('@') {
            None => (text.to_owned(), "the arguments".to_owned()),
            Some(path) => {
                let file = std::fs::File::open(Path::new(path)).map_err(|error| Unclear(format!("{path} cannot be read: {error}")))?;
                (whole(file, path)?, path.to_owned())
            }
        },
    };
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Unclear(format!("{from}: this is no JSON: {error}; write an object, such as '{{\"name\": \"Ada\"}}'")).into()),
    }
}

fn whole(from: impl Read, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    from.take(INPUT_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| Unclear(format!("{name} cannot be read: {error}")))?;
    if text.len() as u64 > INPUT_BYTES_MAX {
        return Err(Unclear(format!("{name} is longer than {INPUT_BYTES_MAX} bytes, and no tool takes more")).into());
    }
    Ok(text)
}
