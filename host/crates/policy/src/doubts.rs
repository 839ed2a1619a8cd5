//! What the reader of a file understands and its writer can hardly have meant:
//! names that match nothing, rules that say the same twice, and hosts that the
//! floor closes. Names that cannot exist are refused; the rest is said.

use std::net::{IpAddr, Ipv4Addr};

use crate::file::{HttpFile, PluginFile};
use crate::floor::Floor;
use crate::glob::{self, Glob};
use crate::host::Host;
use crate::problem::Problem;

/// Where clouds keep the credentials of their machines.
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Lists of names, and tools that are hidden.
pub(crate) fn of_names(key: &str, file: &PluginFile) -> Vec<Problem> {
    let capitals = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let small = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = Vec::new();
    names(&format!("{key}.tenants"), file.tenants.as_deref(), "tenant", &capitals, &mut found);
    names(&format!("{key}.agents"), file.agents.as_deref(), "agent", &capitals, &mut found);
    names(&format!("{key}.tools"), file.tools.as_deref(), "tool", &small, &mut found);
    let shown: Option<Vec<Glob>> = file.tools.as_ref().map(|tools| tools.iter().map(|tool| Glob::new(tool)).collect());
    for tool in file.tool.keys().filter(|tool| !glob::any(shown.as_deref(), tool)) {
        let message = format!("tool {tool} is hidden, because {key}.tools does not name it");
        found.push(Problem::warning(format!("{key}.tool.{tool}"), message, "add it there, or remove its table"));
    }
    found
}

fn names(key: &str, list: Option<&[String]>, noun: &str, fits: &dyn Fn(char) -> bool, found: &mut Vec<Problem>) {
    let Some(list) = list else { return };
    if list.is_empty() {
        found.push(Problem::warning(key, format!("the list names no {noun}, so nobody is served"), "name some, or leave the key out"));
    }
    for (index, name) in list.iter().enumerate() {
        if name.is_empty() || !name.chars().all(|c| fits(c) || c == '*') {
            let message = format!("no {noun} is called {name:?}");
            found.push(Problem::error(
                format!("{key}[{index}]"),
                message,
                "write a name; * stands for any run of characters, nothing else is special",
            ));
        }
    }
}

/// Rules for requests: `key` is that of the whole list.
pub(crate) fn of_rules(key: &str, rules: &[HttpFile], floor: &Floor) -> Vec<Problem> {
    let mut found = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let key = format!("{key}[{index}]");
        if rules[..index].contains(rule) {
            found.push(Problem::warning(&key, "another entry of the plugin says the same", "remove one of them"));
        }
        for (name, list) in [("methods", &rule.methods), ("paths", &rule.paths)] {
            if list.as_ref().is_some_and(Vec::is_empty) {
                let help = format!("name some, or leave {name} out for the default");
                found.push(Problem::warning(format!("{key}.{name}"), "the list is empty, so the entry allows nothing", help));
            }
        }
        for (at, path) in rule.paths.iter().flatten().enumerate().filter(|(_, path)| path.contains(['{', '['])) {
            let help = "only * stands for something; write it where a segment varies";
            found.push(Problem::warning(format!("{key}.paths[{at}]"), format!("{path:?} is taken as it stands"), help));
        }
        found.extend(below_the_floor(&key, rule, floor));
    }
    found
}

/// Whether the floor closes what a rule names.
fn below_the_floor(key: &str, rule: &HttpFile, floor: &Floor) -> Option<Problem> {
    let host: Host = rule.host.parse().ok()?;
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (what, address) = match &host {
        Host::Address(address) => (format!("address {address}"), *address),
        Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => (format!("host {name}"), loopback),
        Host::Name(_) => return None,
    };
    let closed = floor.closed(address)?;
    let help = format!("add {} to [network] if it is meant", floor.opening(address));
    Some(Problem::warning(
        format!("{key}.host"),
        format!("{what} is {}, which [network] closes: the entry allows nothing", closed.kind),
        help,
    ))
}

/// Ranges that open more than a private network.
pub(crate) fn of_floor(floor: &Floor) -> Vec<Problem> {
    let wide = floor.private.iter().enumerate().filter(|(_, net)| net.contains(&METADATA) && net.prefix_len() < 32);
    let doubt = |(index, net): (usize, &ipnet::IpNet)| {
        let message = format!("{net} opens the addresses where clouds keep the credentials of their machines");
        Problem::warning(format!("network.private[{index}]"), message, "name the ranges that are meant, such as \"10.1.0.0/16\"")
    };
    wide.map(doubt).collect()
}
