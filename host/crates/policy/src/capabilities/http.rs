//! Requests to other servers: `[[plugin.NAME.http]]`. Rules add up: a request is
//! allowed where one rule matches, may answer with as much as the most generous
//! matching rule says, and carries the injections of all matching rules. So the
//! order of rules means nothing, and taking one away never allows more.

use std::sync::Arc;

use crate::denied::{self, Denied, Layer};
use crate::file::{HttpFile, InjectFile};
use crate::floor::Floor;
use crate::glob::{self, Glob};
use crate::grant::{Granted, SecretRefs};
use crate::host::{Host, HostPattern, Scheme};
use crate::problem::{Problem, Severity};
use crate::secret::{Secret, SecretRef};
use crate::units::Bytes;

/// The largest response body where a rule says nothing.
const RESPONSE: Bytes = Bytes(1 << 20);
/// The methods where a rule says nothing: those that only look.
const METHODS: [&str; 2] = ["GET", "HEAD"];
/// The longest path that is looked at: longer ones serve no rule.
const PATH_BYTES_MAX: usize = 8 << 10;
/// Headers that frame a message or steer the connection; a secret in one of them
/// would break the request.
const HEADERS_OF_OURS: [&str; 9] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive", "expect"];

/// One request, before it is sent. The query is no part of it: it belongs to the
/// server that was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpRequest<'a> {
    /// As the guest wrote it; methods are case-sensitive.
    pub method: &'a str,
    /// With TLS or without.
    pub scheme: Scheme,
    /// As the guest wrote it, without port; brackets around an IPv6 address.
    pub host: &'a str,
    /// The port, also where it is the scheme's own.
    pub port: u16,
    /// The path as it will be sent, without the query.
    pub path: &'a str,
}

/// Leave to send one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpPermit {
    /// Where to, in the canonical spelling: the one to resolve and to check the certificate for.
    pub host: Host,
    /// With TLS or without.
    pub scheme: Scheme,
    /// The port.
    pub port: u16,
    /// The largest response body.
    pub response_bytes_max: u64,
    /// Secrets for headers, at most one for each header.
    pub inject: Vec<Inject>,
    /// The line that allowed it.
    pub rule: String,
    /// The path of that line in the file; of a lease, the lease's name.
    pub key: String,
}

/// A secret that the host puts into a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inject {
    /// The secret's name.
    pub secret: Arc<str>,
    /// Where its value is.
    pub reference: Arc<SecretRef>,
    /// The header's name, in lower case.
    pub header: Arc<str>,
    before: Arc<str>,
    after: Arc<str>,
}

impl Inject {
    fn build(key: &str, file: &InjectFile, secrets: &SecretRefs) -> Result<Self, Problem> {
        let problem = |part: &str, message: String, help: &str| Err(Problem::error(format!("{key}.inject.{part}"), message, help));
        let Some(reference) = secrets.get(&file.secret) else {
            let help = format!("add [secrets.{}] with from = \"env:NAME\"", denied::key(&file.secret));
            return problem("secret", format!("there is no secret {}", file.secret), &help);
        };
        let header = file.header.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if header.is_empty() || !header.bytes().all(token) {
            return problem("header", format!("{:?} is not a header's name", file.header), "write it like \"authorization\"");
        }
        if HEADERS_OF_OURS.contains(&header.as_str()) {
            return problem(
                "header",
                format!("header {header} belongs to the connection"),
                "use another header, such as \"authorization\"",
            );
        }
        let format = file.format.as_deref().unwrap_or("{}");
        let parts: Vec<_> = format.split("{}").collect();
        let [before, after] = parts[..] else {
            return problem("format", format!("{format:?} does not hold {{}} once"), "write it like \"Bearer {}\"");
        };
        if !format.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return problem("format", "a header's value is printable ASCII".into(), "write it like \"Bearer {}\"");
        }
        Ok(Self {
            secret: file.secret.as_str().into(),
            reference: reference.clone(),
            header: header.into(),
            before: before.into(),
            after: after.into(),
        })
    }

    /// The header's value.
    pub fn value(&self, secret: &Secret) -> String {
        format!("{}{}{}", self.before, secret.expose(), self.after)
    }
}

/// `[[plugin.NAME.http]]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    host: HostPattern,
    scheme: Scheme,
    port: u16,
    methods: Vec<String>,
    paths: Option<Vec<Glob>>,
    response_bytes_max: u64,
    inject: Option<Inject>,
    text: String,
    key: String,
}

impl Rule {
    pub(crate) fn build(key: &str, file: &HttpFile, secrets: &SecretRefs, problems: &mut Vec<Problem>) -> Option<Self> {
        let mut faults = faults(key, file);
        let host = HostPattern::parse(&file.host).map_err(|error| {
            let help = "write it like \"api.example.com\" or \"*.example.com\"";
            faults.push(Problem::error(format!("{key}.host"), error.to_string(), help));
        });
        let scheme = file.scheme.unwrap_or(Scheme::Https);
        let inject = file.inject.as_ref().map(|inject| Inject::build(key, inject, secrets)).transpose();
        let inject = inject.map_err(|problem| faults.push(problem)).ok().flatten();
        if let (Some(_), Ok(host)) = (&inject, &host) {
            faults.extend(risks_of_injection(key, host, scheme));
        }
        let sound = faults.iter().all(|fault| fault.severity == Severity::Warning);
        problems.extend(faults);
        Some(Self {
            host: host.ok().filter(|_| sound)?,
            scheme,
            port: file.port.unwrap_or(scheme.port()),
            methods: file.methods.clone().unwrap_or_else(|| METHODS.map(str::to_owned).to_vec()),
            paths: file.paths.as_ref().map(|paths| paths.iter().map(|path| Glob::new(path)).collect()),
            response_bytes_max: file.response.unwrap_or(RESPONSE).0,
            inject,
            text: format!("[[{}]] host = {}", key.split('[').next().unwrap_or(key), denied::text(&file.host)),
            key: key.to_owned(),
        })
    }

    /// The secret that it injects.
    pub fn inject(&self) -> Option<&Inject> {
        self.inject.as_ref()
    }

    /// Whether it allows more than looking.
    pub fn sends_other_than_get(&self) -> bool {
        self.methods.iter().any(|method| !METHODS.contains(&method.as_str()))
    }

    pub(crate) fn host(&self) -> &HostPattern {
        &self.host
    }

    pub(crate) fn methods(&self) -> &[String] {
        &self.methods
    }

    /// The path of its line in the file.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// How it stands in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same as a part of a lease.
    pub(crate) fn lent(self, lease: &str) -> Self {
        Self { text: format!("lease {lease}: {}", self.text), key: format!("lease {lease}"), ..self }
    }

    /// Whether host, scheme and port fit.
    fn reaches(&self, host: &Host, request: &HttpRequest<'_>) -> bool {
        self.scheme == request.scheme && self.port == request.port && self.host.matches(host)
    }

    fn allows(&self, request: &HttpRequest<'_>) -> bool {
        self.methods.iter().any(|method| method == request.method) && glob::any(self.paths.as_deref(), request.path)
    }

    /// Among matching rules the one that says more is named first; the rest
    /// makes the order total, so that the order in the file means nothing.
    fn rank(&self) -> (usize, usize, &str, Option<&str>, u64) {
        let path = self.paths.iter().flatten().map(|glob| glob.text().len()).max().unwrap_or(0);
        (self.host.exactness(), path, &self.text, self.inject.as_ref().map(|inject| &*inject.secret), self.response_bytes_max)
    }
}

/// What is wrong with a rule's port, methods and paths.
fn faults(key: &str, file: &HttpFile) -> Vec<Problem> {
    let mut faults = Vec::new();
    if file.port == Some(0) {
        faults.push(Problem::error(format!("{key}.port"), "there is no port 0", "leave it out for the scheme's own port"));
    }
    for (index, method) in file.methods.iter().flatten().enumerate() {
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') || method == "CONNECT" {
            let message = format!("{method:?} is not a method that can be granted");
            faults.push(Problem::error(format!("{key}.methods[{index}]"), message, "write it like \"GET\""));
        }
    }
    for (index, path) in file.paths.iter().flatten().enumerate() {
        if let Err(why) = check_path(path) {
            let message = format!("{path:?} is not a path that can be asked for: {why}");
            faults.push(Problem::error(format!("{key}.paths[{index}]"), message, "write it like \"/v2/*\""));
        }
    }
    faults
}

/// What may happen to a secret that a rule injects.
fn risks_of_injection(key: &str, host: &HostPattern, scheme: Scheme) -> Vec<Problem> {
    let key = format!("{key}.inject");
    let mut risks = Vec::new();
    match host {
        HostPattern::AnyName => {
            risks.push(Problem::error(&key, "the secret would go to every host that the plugin names", "name the host"));
        }
        HostPattern::Below(_) => {
            risks.push(Problem::warning(&key, format!("the secret goes to every host below {host}"), "name the host if it is one"));
        }
        HostPattern::Exactly(_) => {}
    }
    if scheme == Scheme::Http {
        risks.push(Problem::warning(&key, "the secret travels without encryption", "use https"));
    }
    risks
}

/// Paths that servers, proxies and eyes read differently are refused and never
/// normalised: after the check the path that was judged is the path that is sent.
pub(crate) fn check_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("a path begins with a slash");
    }
    if path.len() > PATH_BYTES_MAX {
        return Err("the path is too long");
    }
    if path.bytes().any(|b| !(0x21..0x7f).contains(&b) || matches!(b, b'\\' | b'?' | b'#')) {
        return Err("a path is printable ASCII without spaces, backslashes, ? and #");
    }
    if path.contains("//") {
        return Err("a path has no empty segments");
    }
    let lower = path.to_ascii_lowercase();
    for escape in lower.split('%').skip(1) {
        if escape.len() < 2 || !escape.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit) {
            return Err("a % is followed by two hexadecimal digits");
        }
        if ["2f", "5c", "00"].iter().any(|byte| escape.starts_with(byte)) {
            return Err("encoded slashes, backslashes and zero bytes are refused");
        }
    }
    let dots = |segment: &str| matches!(segment.split(';').next().unwrap_or(""), "." | "..");
    if lower.replace("%2e", ".").replace("%3b", ";").split('/').any(dots) {
        return Err("dot segments are refused");
    }
    Ok(())
}

pub(crate) fn decide(granted: &Granted<'_>, floor: &Floor, request: &HttpRequest<'_>) -> Result<HttpPermit, Denied> {
    let never = |what: String, why: &str| Denied {
        layer: Layer::Request,
        what,
        why: format!("is refused: {why}"),
        help: "no line would allow it".into(),
        toml: String::new(),
    };
    let host: Host = request.host.parse().map_err(|error: crate::InvalidHost| never("the request".into(), &error.to_string()))?;
    if request.port == 0 {
        return Err(never("port 0".into(), "there is no such port"));
    }
    check_path(request.path).map_err(|why| never(format!("the path of a request to {host}"), why))?;
    let rules = granted.all().flat_map(|grant| &grant.http);
    let mut rules: Vec<&Rule> = rules.filter(|rule| rule.reaches(&host, request) && rule.allows(request)).collect();
    rules.sort_by(|one, other| other.rank().cmp(&one.rank()));
    let Some(first) = rules.first() else {
        return Err(refusal(granted, floor, &host, request));
    };
    // An address that is written as one is known before anything is resolved.
    if let Host::Address(address) = host {
        floor.address_allowed(address)?;
    }
    let mut inject: Vec<Inject> = Vec::new();
    for candidate in rules.iter().filter_map(|rule| rule.inject()) {
        if inject.iter().all(|taken| taken.header != candidate.header) {
            inject.push(candidate.clone());
        }
    }
    let response_bytes_max = rules.iter().map(|rule| rule.response_bytes_max).max().unwrap_or(0);
    let (rule, key) = (first.text.clone(), first.key.clone());
    Ok(HttpPermit { host, scheme: request.scheme, port: request.port, response_bytes_max, inject, rule, key })
}

/// Names what is missing as narrowly as it can: the path, the method or the host.
fn refusal(granted: &Granted<'_>, floor: &Floor, host: &Host, request: &HttpRequest<'_>) -> Denied {
    let entry = granted.entry.array("http");
    let near = granted.all().flat_map(|grant| &grant.http).any(|rule| rule.reaches(host, request));
    let mut lines = vec![format!("host = {}", denied::text(&host.to_string()))];
    if request.scheme != Scheme::Https {
        lines.push(format!("scheme = \"{}\"", request.scheme.word()));
    }
    if request.port != request.scheme.port() {
        lines.push(format!("port = {}", request.port));
    }
    let mut with = lines.join(", ");
    let (methods, paths) = (format!("methods = [{}]", denied::text(request.method)), format!("paths = [{}]", denied::text(request.path)));
    if near {
        with.push_str(&format!(", {methods} and {paths}"));
    } else if !METHODS.contains(&request.method) {
        with.push_str(&format!(" and {methods}"));
    }
    lines.extend([methods, paths]);
    let mut toml = format!("{entry}\n{}\n", lines.join("\n"));
    // Both walls at once, so that the lines of a refusal are enough.
    if let Host::Address(address) = host
        && let Err(closed) = floor.address_allowed(*address)
    {
        toml = format!("{}\n{toml}", closed.toml);
    }
    let what = if near { format!("{} {} on host {host}", request.method, request.path) } else { format!("host {host}") };
    granted.entry.not_granted(&what, format!("add a {entry} entry with {with}"), toml)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_can_be_read_in_two_ways_are_refused() {
        for path in [
            "",
            "v2",
            "/a/../b",
            "/..",
            "/.",
            "/a/.",
            "//a",
            "/a//b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/%2e%2e/x",
            "/.%2E/x",
            "/a b",
            "/a\tb",
            "/a\0",
            "/%00",
            "/ä",
            "/%",
            "/%2",
            "/%zz",
            "/a?b",
            "/a#b",
            "/..;x=1/b",
            "/..%3bx/b",
        ] {
            assert!(check_path(path).is_err(), "{path}");
        }
        for path in ["/", "/a", "/a/", "/a.b/..c/...", "/%20x/%C3%A4", "/a:b@c;d=e"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }
}
