//! A guest that does what a test tells it to, one step after the other, and
//! says what came of each: files, requests, sockets, environment. It goes
//! through the raw imports of WASI, past every check that a language's standard
//! library makes before it asks the host.

mod files;
mod http;
mod machine;
mod sockets;

use serde::Deserialize;
use serde_json::{Value, json};
use wardian_plugin::{Data, Error, Tool};

/// The one tool.
#[derive(Deserialize)]
struct Try {
    steps: Vec<Step>,
}

/// One thing to try.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Step {
    /// The directories that were opened for this guest.
    Preopens,
    File(files::File),
    Http(http::Http),
    /// Many alike, all on their way at the same time.
    HttpMany {
        count: usize,
        request: http::Http,
    },
    Socket(sockets::Socket),
    Machine(machine::Machine),
}

/// What a step gives, or the word for why it failed.
type Outcome = Result<Value, String>;

/// What stays open from one step to the next.
#[derive(Default)]
struct Held {
    responses: Vec<http::Open>,
    files: Vec<files::Open>,
}

impl Step {
    fn run(self, held: &mut Held) -> Outcome {
        match self {
            Self::Preopens => Ok(files::preopens()),
            Self::File(file) => file.run(&mut held.files),
            Self::Http(request) => request.run(&mut held.responses),
            Self::HttpMany { count, request } => Ok(http::many(count, &request)),
            Self::Socket(socket) => socket.run(),
            Self::Machine(machine) => machine.run(),
        }
    }
}

impl Tool for Try {
    const NAME: &str = "try";
    const DESCRIPTION: &str = "Tries doors, for tests.";
    const INPUT: &str =
        r#"{"type": "object", "properties": {"steps": {"type": "array"}}, "required": ["steps"], "additionalProperties": false}"#;
    type Answer = Data<Vec<Value>>;

    fn run(self) -> Result<Self::Answer, Error> {
        let mut held = Held::default();
        let outcomes = self.steps.into_iter().map(|step| match step.run(&mut held) {
            Ok(value) => json!({"ok": value}),
            Err(why) => json!({"error": why}),
        });
        Ok(Data(outcomes.collect()))
    }
}

wardian_plugin::export!(Try);

/// A code of WASI's as a word.
fn word(code: impl std::fmt::Debug) -> String {
    format!("{code:?}")
}
