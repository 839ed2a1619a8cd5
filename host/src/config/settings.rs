//! The validated form: what the rest of the program sees. Paths are absolute,
//! numbers are in range, and what contradicts itself was refused.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use api::OnDisconnect;
use api::cors::Origins;
use model::config::ModelsFile;
use policy::file::PolicyFile;

use super::complaint::{self, Complaint, Complaints};
use super::file::{File, LogFormat, ServerFile};

/// Everything the operator decided.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The file, if one was read.
    pub(crate) file: Option<PathBuf>,
    /// Its text, to name lines in.
    pub(crate) text: String,
    /// What relative paths in the file are under.
    pub(crate) base: PathBuf,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// The plugin directory.
    pub(crate) plugins: PathBuf,
    /// The front door.
    pub(crate) server: Server,
    /// The log.
    pub(crate) log: Log,
    /// `[models]`
    pub(crate) models: ModelsFile,
    /// What is allowed, in its file form: the shipped grants are added when the directories are known.
    pub(crate) policy: PolicyFile,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Requests of one key in a minute.
    pub(crate) requests_per_minute: NonZeroU32,
    /// A request's body.
    pub(crate) body_bytes: usize,
    /// All message texts of one input.
    pub(crate) message_bytes: usize,
    /// Model calls of one turn.
    pub(crate) steps: u32,
    /// Tool calls of one step.
    pub(crate) calls: usize,
    /// How long running turns may go on once the server was told to stop.
    pub(crate) grace: Duration,
    /// How long a tool call waits for a person before it counts as rejected.
    pub(crate) approvals: Duration,
    /// How long a tool call waits for the client that runs it before it counts as expired.
    pub(crate) client_tools: Duration,
    /// What becomes of a turn whose client goes away, at doors whose clients cannot say that it is to stop.
    pub(crate) on_disconnect: OnDisconnect,
    /// Names by which clients and web pages may know the server.
    pub(crate) hosts: Vec<String>,
    /// Origins whose pages may call the server.
    pub(crate) origins: Origins,
    /// Certificate and key.
    pub(crate) tls: Option<Tls>,
}

/// `server.tls`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// The chain.
    pub(crate) cert: PathBuf,
    /// The private key.
    pub(crate) key: PathBuf,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// How lines look.
    pub(crate) format: LogFormat,
    /// Which are written.
    pub(crate) level: String,
}

/// How clients reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Plain.
    Http,
    /// By certificate.
    Https,
}

/// Bodies above this would have to be held in memory many times at once.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// Steps and calls above this are a slip of the pen: they bound what one input can cost.
const TURN_MAX: u32 = 1_000;

/// Nobody waits longer for a server to stop.
const GRACE_MAX: Duration = Duration::from_secs(3_600);

/// Nobody can answer in less than a second; and what nobody has answered in a month has no reader any more.
const PATIENCE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3_600);

impl Settings {
    /// Checks the file form. All findings at once.
    pub(super) fn check(file: File, path: Option<PathBuf>, text: &str, base: PathBuf) -> Result<Self, Complaints> {
        let place = path.as_ref().map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
        let mut faults = Faults { place, found: Vec::new() };
        let listen = listen(&file.listen, &file.server, &mut faults);
        let server = server(&file.server, &base, &mut faults);
        let data = resolved(&base.join(&file.data));
        let plugins = file.plugins.as_ref().map_or_else(|| data.join("plugins"), |plugins| base.join(plugins));
        let plugins = resolved(&plugins);
        let log = Log { format: file.log.format, level: file.log.level.clone() };
        if let Err(error) = log.level.parse::<tracing_subscriber::EnvFilter>() {
            faults.add(
                "log.level",
                format!("{:?} is not a filter: {error}", log.level),
                "write a level such as \"info\", or \"warn,sandbox=debug\"",
            );
        }
        let settings = Self {
            policy: file.policy(),
            models: file.models,
            file: path,
            text: text.to_owned(),
            base,
            listen,
            data,
            plugins,
            server,
            log,
        };
        if faults.found.is_empty() { Ok(settings) } else { Err(Complaints(faults.found)) }
    }

    /// How clients reach the server.
    pub(crate) fn scheme(&self) -> Scheme {
        if self.server.tls.is_some() { Scheme::Https } else { Scheme::Http }
    }

    /// Where the running server listens for its operator.
    pub(crate) fn socket(&self) -> PathBuf {
        self.data.join("wardian.sock")
    }

    /// Where the audit log is.
    pub(crate) fn audit(&self) -> PathBuf {
        self.data.join("audit")
    }

    /// Where the owner's key is kept.
    pub(crate) fn owner_key(&self) -> PathBuf {
        self.data.join("owner.key")
    }

    /// File and line of a key, where the file spells it out.
    pub(crate) fn place_of(&self, key: &str) -> Option<String> {
        let file = self.file.as_deref()?;
        complaint::line_of(&self.text, key).map(|line| format!("{}:{line}", file.display()))
    }

    /// What is allowed, as findings of the policy with their lines.
    pub(crate) fn complaints(&self, problems: &[policy::Problem]) -> Complaints {
        Complaints(problems.iter().map(|problem| Complaint::of_policy(self.file.as_deref(), &self.text, problem)).collect())
    }
}

/// The path without links and without `..`: grants take no other. What is not there yet has no links.
fn resolved(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|there| Some((there.canonicalize().ok()?, path.strip_prefix(there).ok()?)));
    let Some((mut resolved, missing)) = found else { return path.to_owned() };
    for part in missing.components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            part => resolved.push(part),
        }
    }
    resolved
}

/// Findings about one file.
struct Faults {
    place: String,
    found: Vec<Complaint>,
}

impl Faults {
    fn add(&mut self, key: &str, message: impl std::fmt::Display, help: &str) {
        self.found.push(Complaint::new(&*self.place, format!("{key}: {message}")).help(help));
    }
}

/// The address; beyond loopback only with TLS, or with plain HTTP on purpose.
fn listen(text: &str, server: &ServerFile, faults: &mut Faults) -> SocketAddr {
    let spelled_out = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    let Ok(address) = spelled_out.as_deref().unwrap_or(text).parse::<SocketAddr>() else {
        faults.add("listen", format!("{text:?} is not an address and a port"), "write it like \"127.0.0.1:8750\" or \"[::]:8750\"");
        return SocketAddr::from(([127, 0, 0, 1], 0));
    };
    if !address.ip().to_canonical().is_loopback() && server.tls.is_none() && !server.allow_plain {
        faults.add(
            "listen",
            format!("{address} is reachable from other machines, and keys would travel unencrypted"),
            "set server.tls = { cert = \"…\", key = \"…\" }, or server.allow-plain = true behind a proxy that speaks TLS",
        );
    }
    address
}

fn server(file: &ServerFile, base: &Path, faults: &mut Faults) -> Server {
    for (key, bytes) in [("server.body", file.body.0), ("server.message", file.message.0)] {
        if !(1_024..=BODY_BYTES_MAX).contains(&bytes) {
            faults.add(key, "must be between 1KiB and 64MiB", "");
        }
    }
    if file.message > file.body {
        faults.add("server.message", format!("{} would never fit into a body of {}", file.message, file.body), "raise server.body");
    }
    for (key, count) in [("server.steps", file.steps), ("server.calls", file.calls)] {
        if !(1..=TURN_MAX).contains(&count) {
            faults.add(key, format!("must be between 1 and {TURN_MAX}"), "");
        }
    }
    if file.grace.0 > GRACE_MAX {
        faults.add("server.grace", "must be at most 1h", "");
    }
    for (key, span) in [("server.approvals", file.approvals), ("server.client-tools", file.client_tools)] {
        if !PATIENCE.contains(&span.0) {
            faults.add(key, "must be between 1s and 720h", "");
        }
    }
    // A burst is a minute's worth, so that "1/s" is a slow rate and not a ban on pages that load two things.
    let per_minute = u64::from(file.rate.count).saturating_mul(60) / file.rate.per.as_secs().max(1);
    let per_minute = NonZeroU32::new(u32::try_from(per_minute).unwrap_or(u32::MAX));
    if per_minute.is_none() {
        faults.add("server.rate", format!("{} is less than one request a minute", file.rate), "");
    }
    let origins = Origins::parse(&file.cors).unwrap_or_else(|error| {
        faults.add("server.cors", error, "");
        Origins::default()
    });
    let tls = file.tls.as_ref().map(|tls| Tls { cert: base.join(&tls.cert), key: base.join(&tls.key) });
    for (key, path) in tls.iter().flat_map(|tls| [("server.tls.cert", &tls.cert), ("server.tls.key", &tls.key)]) {
        if let Err(error) = std::fs::File::open(path) {
            faults.add(key, format!("cannot read {}: {error}", path.display()), "");
        }
    }
    Server {
        requests_per_minute: per_minute.unwrap_or(NonZeroU32::MIN),
        body_bytes: usize::try_from(file.body.0).unwrap_or(usize::MAX),
        message_bytes: usize::try_from(file.message.0).unwrap_or(usize::MAX),
        steps: file.steps,
        calls: usize::try_from(file.calls).unwrap_or(usize::MAX),
        grace: file.grace.0,
        approvals: file.approvals.0,
        client_tools: file.client_tools.0,
        on_disconnect: file.on_disconnect,
        hosts: file.hosts.clone(),
        origins,
        tls,
    }
}
