//! What a server says when it starts: where it is, who may come in, which model
//! answers, what the tools may do, and three commands to try it with.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use tool::{PluginState, PluginStatus};

use crate::config::{Scheme, Settings};
use crate::owner::{OwnerKey, Place};

/// Whether secrets may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A person.
    Terminal,
    /// A file or a program.
    Other,
}

/// The lines before the plugins.
pub(crate) fn greeting(settings: &Settings, address: SocketAddr, owner: &OwnerKey, model: &str, reader: Reader) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:10} {value}");
    };
    line("address", &base(settings, address));
    let place = match owner.place() {
        Place::File(path) => short(path).to_owned(),
        Place::Variable => format!("${}", crate::owner::VARIABLE),
    };
    let key = match reader {
        Reader::Terminal => format!("{place}   {}", owner.expose()),
        Reader::Other => place,
    };
    line("owner key", &key);
    line("model", model);
    line("data", &short(&settings.data));
    line("config", &settings.file.as_deref().map_or_else(|| "none; `wardian init` writes one".to_owned(), short));
    format!("wardian {}\n{text}", env!("CARGO_PKG_VERSION"))
}

/// One line a plugin: its tools and its grants.
pub(crate) fn plugin(plugin: &PluginStatus) -> String {
    let what = match &plugin.state {
        PluginState::Preparing => "preparing".to_owned(),
        PluginState::Ready => plugin.tools.join(", "),
        PluginState::Stale(why) => format!("{}; the newest file was refused: {why}", plugin.tools.join(", ")),
        PluginState::Refused(why) => format!("refused: {why}"),
        PluginState::Changed(why) => format!("out of service: {why}"),
    };
    let grants = match (&plugin.state, plugin.grants.is_empty()) {
        (PluginState::Preparing | PluginState::Refused(_) | PluginState::Changed(_), _) => String::new(),
        (_, false) => format!("   granted: {}", plugin.grants.join(", ")),
        (_, true) if plugin.name == "web" => "   nothing granted: add [[plugin.web.http]] with host = \"…\"".to_owned(),
        (_, true) => "   computes only".to_owned(),
    };
    format!("    {:12} {what}{grants}", plugin.name)
}

/// Three commands that work as they are printed: a session, an event, a stream.
pub(crate) fn commands(settings: &Settings, address: SocketAddr, owner: &OwnerKey, session: &str) -> String {
    let key = match owner.place() {
        Place::File(path) => format!("$(cat {})", quoted(&short(path))),
        Place::Variable => format!("${}", crate::owner::VARIABLE),
    };
    let tls = settings.server.tls.as_ref().map_or_else(String::new, |tls| format!(" --cacert {}", quoted(&short(&tls.cert))));
    let sessions = format!("{}/v2/agents/agt_customer_support/sessions", base(settings, address));
    let post = |flags: &str, url: &str, body: &str| {
        format!("  curl -s{flags}{tls} {url} -H \"x-api-key: {key}\" -H 'content-type: application/json' -d '{body}'\n")
    };
    let message =
        |text: &str, stream: &str| format!(r#"{{"type":"input_message","messages":[{{"type":"text","content":"{text}"}}]{stream}}}"#);
    let events = format!("{sessions}/{session}/events");
    [
        "\nTry it:\n".to_owned(),
        post("", &sessions, &format!(r#"{{"key":"{session}"}}"#)),
        post("", &events, &message("I have trouble with my widget installation.", "")),
        post("N", &events, &message("How long is the warranty?", r#","stream_response":true"#)),
        "Or: wardian chat assistant\n".to_owned(),
    ]
    .concat()
}

/// The address as a client on this machine writes it.
fn base(settings: &Settings, address: SocketAddr) -> String {
    let scheme = match settings.scheme() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    match (address.ip().is_unspecified(), address.is_ipv4()) {
        (true, true) => format!("{scheme}://127.0.0.1:{}", address.port()),
        (true, false) => format!("{scheme}://[::1]:{}", address.port()),
        (false, _) => format!("{scheme}://{address}"),
    }
}

/// A path under the current directory without it.
fn short(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned)).unwrap_or_else(|| path.to_owned()).display().to_string()
}

/// A word for the shell.
pub(crate) fn quoted(word: &str) -> String {
    if word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flags, Sources};

    fn settings() -> Settings {
        let place = tempfile::tempdir().unwrap();
        Sources { flags: Flags::default(), environment: Vec::new(), here: place.path().to_owned() }.load().unwrap()
    }

    fn owner() -> OwnerKey {
        OwnerKey::find(Some("hush-hush-hush-hush".into()), Path::new("/nowhere"), [0; 32]).unwrap()
    }

    #[test]
    fn the_key_is_shown_to_a_terminal_only() {
        let address = "127.0.0.1:8750".parse().unwrap();
        let greet = |reader| greeting(&settings(), address, &owner(), "offline", reader);
        assert!(greet(Reader::Terminal).contains("hush"));
        assert!(!greet(Reader::Other).contains("hush"));
        assert!(!commands(&settings(), address, &owner(), "s").contains("hush"));
    }

    #[test]
    fn a_server_on_every_address_is_reached_by_loopback() {
        let shown = commands(&settings(), "0.0.0.0:80".parse().unwrap(), &owner(), "try");
        assert!(shown.contains("http://127.0.0.1:80/v2/agents/agt_customer_support/sessions/try/events"), "{shown}");
        assert!(shown.contains("x-api-key: $WARDIAN_OWNER_KEY"), "{shown}");
    }

    #[test]
    fn a_path_with_a_blank_is_quoted_for_the_shell() {
        assert_eq!(quoted("my data/owner.key"), "'my data/owner.key'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
