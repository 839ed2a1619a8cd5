//! Words of a history, as tests write them.

use agent::Outcome;
use session::AskedCall;

use super::Said;

pub(super) fn user(text: &str) -> Said {
    Said::User(text.into())
}

pub(super) fn agent(text: &str) -> Said {
    Said::Agent { text: text.into(), calls: Vec::new() }
}

pub(super) fn calling(id: &str) -> Said {
    Said::Agent { text: String::new(), calls: vec![AskedCall { id: id.into(), name: "alert".into(), arguments: "{}".into() }] }
}

pub(super) fn tool(id: &str) -> Said {
    Said::Tool { call: id.into(), outcome: Outcome::Success("{}".into()) }
}
