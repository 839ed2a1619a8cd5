//! `wardian check`: whether a component keeps the contract, what model providers
//! will make of it, and what it would need to be granted.

use std::path::PathBuf;
use std::time::Instant;

use author::check::{Descriptor, Finding, Level, behave, read};
use policy::Shape;
use policy::file::PluginFile;
use sandbox::Interfaces;
use serde_json::{Value, json};
use tool::PluginStatus;

use super::Told;
use super::call::refused;
use super::table::plain;
use crate::trial::{Artefact, Terms, Trial, shape};

/// The prefix of the contract's own interfaces.
const OURS: &str = "wardian:plugin/";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The component is loaded as a server loads it, asked twice what its tools are, and each tool is called
with its examples and with arguments that nobody sensible sends: in a world that grants nothing.
What it does when it is granted something, its recordings tell: see `wardian test`.

Exit codes: 0 no errors (there may be warnings), 1 errors, 2 wrong usage.")]
pub(super) struct Args {
    /// A component, or the folder of a project that was built
    #[arg(default_value = ".")]
    file: PathBuf,
    /// What kind of component it is, where it is no plugin of its own accord: functions or command
    #[arg(long, value_name = "SHAPE", value_parser = shape)]
    shape: Option<Shape>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let artefact = Artefact::find(&args.file)?;
    match examined(&args, &artefact).await {
        // A program that reads findings reads this one too.
        Err(error) if args.json && error.is::<author::Error>() => {
            println!("{:#}", json!({ "file": artefact.file.display().to_string(), "error": error.to_string(), "findings": [] }));
            Err(Told.into())
        }
        examined => examined,
    }
}

async fn examined(args: &Args, artefact: &Artefact) -> anyhow::Result<()> {
    let began = Instant::now();
    let interfaces = sandbox::interfaces(&artefact.bytes).map_err(|why| refused(artefact, &why))?;
    let entry = PluginFile { shape: args.shape, ..PluginFile::default() };
    let trial = Trial::open(artefact, &[Terms { entry, ..Terms::default() }]).await?;
    if let Some(why) = trial.refusal() {
        return Err(refused(artefact, &why).into());
    }
    let descriptor = trial.descriptor().await?;
    let status = trial.status();
    let mut findings = about(status.as_ref(), &interfaces, args.shape.unwrap_or_default());
    findings.extend(read(&descriptor));
    let (behaviour, calls) = behave(&trial.bench(), &descriptor.tools).await;
    findings.extend(behaviour);
    findings.sort_by(|one, other| (one.level, &one.place).cmp(&(other.level, &other.place)));
    let report = Report { artefact, status, interfaces, descriptor, findings, calls, ms: began.elapsed().as_millis() };
    if args.json {
        println!("{:#}", report.json());
    } else {
        report.print();
    }
    if report.count(Level::Error) == 0 { Ok(()) } else { Err(Told.into()) }
}

/// What its manifest and its interfaces say.
fn about(status: Option<&PluginStatus>, interfaces: &Interfaces, shape: Shape) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(status) = status else { return findings };
    if status.version.as_deref().is_none_or(|version| version == "0.0.0") {
        let fix = "write `version = \"0.1.0\"` into plugin.toml: an operator who accepts a change sees it";
        findings.push(Finding::warning("manifest", "it gives no version", fix));
    }
    let asks = |noun: &str| status.asks.iter().any(|words| words.first().is_some_and(|word| word == noun));
    let imports = |name: &str| interfaces.imports.iter().any(|import| import.starts_with(name));
    for (import, noun) in [("wardian:plugin/store@", "store"), ("wardian:plugin/cache@", "cache"), ("wasi:http/outgoing-handler@", "http")]
    {
        if imports(import) && !asks(noun) {
            let what = format!("it imports {}, and does not ask for it in `requests`", import.trim_end_matches('@'));
            findings.push(Finding::note("manifest", format!("{what}; an SDK imports everything, so that may be right")));
        }
    }
    let strange = interfaces.exports.iter().filter(|export| shape == Shape::Native && !export.starts_with("wardian:plugin/tools@"));
    findings.extend(strange.map(|export| Finding::note("exports", format!("{export} is never called"))));
    findings
}

struct Report<'a> {
    artefact: &'a Artefact,
    status: Option<PluginStatus>,
    interfaces: Interfaces,
    descriptor: Descriptor,
    findings: Vec<Finding>,
    calls: usize,
    ms: u128,
}

impl Report<'_> {
    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    fn tools(&self) -> Vec<&str> {
        self.descriptor.tools.iter().map(|tool| &*tool.name).collect()
    }

    /// What it asks to be granted, as flags of `wardian call`.
    fn asks(&self) -> Vec<String> {
        let asks = self.status.iter().flat_map(|status| &status.asks);
        asks.map(|words| policy::words::join(words)).collect()
    }

    fn json(&self) -> Value {
        json!({
            "file": self.artefact.file.display().to_string(),
            "name": self.artefact.name,
            "version": self.status.as_ref().and_then(|status| status.version.clone()),
            "bytes": self.artefact.bytes.len(),
            "component": self.status.as_ref().and_then(|status| status.component.clone()),
            "exports": self.interfaces.exports,
            "imports": self.interfaces.imports,
            "requests": self.status.as_ref().map(|status| status.requests.clone()).unwrap_or_default(),
            "asks": self.asks(),
            "tools": self.tools(),
            "findings": self.findings,
            "calls": self.calls,
        })
    }

    fn print(&self) {
        let version = self.status.as_ref().and_then(|status| status.version.clone()).unwrap_or_default();
        println!("{} {}  {} KiB", self.artefact.name, plain(&version), self.artefact.bytes.len().div_ceil(1024));
        let (ours, others): (Vec<&String>, Vec<&String>) = self.interfaces.imports.iter().partition(|import| import.starts_with(OURS));
        let (wasi, unknown): (Vec<&String>, Vec<&String>) = others.into_iter().partition(|import| import.starts_with("wasi:"));
        let short = |name: &&String| name.split('@').next().unwrap_or_default().replace(OURS, "").replace("wasi:", "");
        line("tools", self.tools().into_iter().map(str::to_owned).collect());
        line("exports", self.interfaces.exports.clone());
        line("imports", ours.iter().map(short).filter(|name| name != "types").collect());
        line("of WASI", wasi.iter().map(short).collect());
        line("others", unknown.iter().map(|name| (*name).clone()).collect());
        let asks = self.asks();
        line("asks for", if asks.is_empty() { vec!["nothing; it can compute, and that is all".to_owned()] } else { asks });
        for finding in &self.findings {
            println!("{}", plain(&finding.to_string()));
        }
        let (errors, warnings, notes) = (self.count(Level::Error), self.count(Level::Warning), self.count(Level::Note));
        println!("{errors} errors, {warnings} warnings, {notes} notes; {} calls in {} ms", self.calls, self.ms);
    }
}

fn line(what: &str, names: Vec<String>) {
    if !names.is_empty() {
        println!("  {what:9} {}", plain(&names.join(", ")));
    }
}
