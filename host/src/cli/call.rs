//! `wardian call`: one call of one tool, without a server: the same sandbox, the
//! same limits, and nothing granted but what the command line says.

mod live;
mod shown;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use author::Error;
use author::mask::Mask;
use tool::{Ports, ToolSpec};

use super::{Told, table};
use crate::trial::{Artefact, Flags, Identity, Memory, Trial, Unclear};
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
  files read|write DIRECTORY as NAME [QUOTA]
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
    /// Show what the plugin asks of the host, its requests, its log and its progress, as they come
    #[arg(long)]
    trace: bool,
    /// Write files that the tool answers with into this folder
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Everything as one JSON object
    #[arg(long)]
    json: bool,
}

/// A component that an author named, or the one sentence about why it cannot be tried.
pub(super) fn refused(artefact: &Artefact, why: &str) -> Error {
    let next = "`wardian check` says more, and `wardian build` makes it anew";
    let (reason, next) = match why.rsplit_once("; ") {
        Some((reason, next)) => (reason, next),
        None => (why, next),
    };
    Error::at(&artefact.file, table::plain(reason), table::plain(next))
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let artefact = Artefact::find(&args.file)?;
    let terms = args.granted.terms(&artefact.name)?;
    let mask = Mask::new(terms.values().into_iter().map(|(name, value)| (name, value.expose().to_owned())));
    let input = input(args.input.as_deref())?;
    let store = Arc::new(Memory::open(args.store.as_deref())?);
    let trial = Trial::open(&artefact, std::slice::from_ref(&terms)).await?;
    if let Some(why) = trial.refusal() {
        return Err(refused(&artefact, &why).into());
    }
    let tools = trial.tools();
    let Some(name) = &args.tool else {
        shown::tools(&tools, args.json);
        return Ok(());
    };
    known(&artefact, &tools, name)?;

    let live = Arc::new(Live::new(args.trace, mask.clone()));
    let ports = Ports { store: store.clone(), sink: live.clone(), tape: None };
    let reply = trial.call(0, name, &input, Identity::new(), ports).await;
    store.commit(&reply.writes);
    store.save(args.store.as_deref())?;
    let shown = shown::Shown { mask: &mask, denials: live.denials(), plugin: &artefact.name };
    if args.json {
        println!("{:#}", shown.json(&reply));
    } else {
        shown.print(&reply, args.output.as_deref())?;
    }
    if reply.end.is_done() { Ok(()) } else { Err(Told.into()) }
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
