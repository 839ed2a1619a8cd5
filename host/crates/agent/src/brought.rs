//! What an input brings along beside its messages, and whether it may: looked at before its session hears of it.

use std::collections::HashSet;

use schema::Schema;
use serde_json::value::RawValue;
use session::json::push_string;
use session::{Agent, AskedCall, DeclaredTool, EventId, Purpose, ToolRef};

use crate::client_calls::Outcome;
use crate::error::Error;
use crate::live::Input;
use crate::past::Story;
use crate::references::Members;

/// Tools that one input may declare. Each costs the model attention; against clients that declare all they have.
pub const DECLARED_TOOLS: usize = 64;

/// Characters of a tool's name: what every provider takes.
const NAME: usize = 64;

/// Characters of a tool's description, as of client tools that are kept.
const DESCRIPTION: usize = 5_000;

/// Bytes of the instructions that an input may bring. They are kept with every turn that they are in force for.
pub const INSTRUCTIONS_BYTES: usize = 64 << 10;

/// The dialect of JSON Schema that is understood. Others are read as if they were it: what clients declare differs in nothing
/// but this line, as a rule.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What an input brings along beside its messages.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    /// What was said before, as the client has it and the session has not, in order. What follows the last message
    /// of the user there belongs to the turn that this input begins, if the input has no messages of its own.
    pub past: Vec<Past>,
    /// Tools that the client runs, for this turn alone. Names all different; one of a client tool that the agent binds
    /// means that one.
    pub tools: Vec<DeclaredTool>,
    /// What the model is told beside the agent's instructions, from this turn on; an empty text ends that.
    pub instructions: Option<String>,
    /// What came of calls that wait for the client, by their events. The messages end the turn that they belong to; it ends with
    /// these outputs, and what else waits there is cancelled.
    pub outputs: Vec<(EventId, Outcome)>,
}

/// Something that was said before, elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// By the user; not empty.
    User(String),
    /// By the agent: text, calls, or both.
    Agent {
        /// May be empty beside calls.
        text: String,
        /// In their order. One without an output counts as cancelled.
        calls: Vec<AskedCall>,
    },
    /// By a tool: the result of the last call with this id before it, wherever that stands.
    Output {
        /// The id of the call.
        call: String,
        /// What the client says came of it.
        outcome: Outcome,
    },
}

impl Brought {
    fn is_empty(&self) -> bool {
        self.past.is_empty() && self.tools.is_empty() && self.instructions.is_none() && self.outputs.is_empty()
    }
}

/// The input with its tools as they will be declared, and the past that it brings.
pub(crate) async fn read(agent: &Agent, mut input: Input) -> Result<(Input, Story), Error> {
    check_place(&input)?;
    if let Some(instructions) = &input.brought.instructions {
        check_instructions(instructions)?;
    }
    let story = Story::read(std::mem::take(&mut input.brought.past), input.messages.is_empty())?;
    if !input.brought.tools.is_empty() {
        check_names(agent, &input.brought.tools)?;
        input.brought.tools.retain(|tool| !matches!(bound(agent, &tool.name), Some(ToolRef::Client(_))));
        input.brought.tools = usable(input.brought.tools).await?;
    }
    Ok((input, story))
}

/// Whether the parts of an input go together.
fn check_place(input: &Input) -> Result<(), Error> {
    let wrong = |why: &str| Err(Error::WrongInput(why.to_owned()));
    match &input.purpose {
        Purpose::Answer if input.messages.is_empty() && input.brought.past.is_empty() => {
            wrong("there is nothing to answer; send at least one message of the user")
        }
        Purpose::Answer if input.queue.is_some() && !input.brought.is_empty() => {
            wrong("an input that may wait behind a turn brings its messages alone")
        }
        Purpose::Compact { .. } if !input.brought.is_empty() => wrong("a compaction brings no past, no tools and no instructions"),
        Purpose::Call { .. } if !input.brought.is_empty() || !input.messages.is_empty() => {
            wrong("a call of a tool brings nothing else along")
        }
        Purpose::Answer | Purpose::Compact { .. } | Purpose::Call { .. } => Ok(()),
    }
}

fn check_instructions(instructions: &str) -> Result<(), Error> {
    if instructions.len() > INSTRUCTIONS_BYTES {
        let bytes = instructions.len();
        return Err(Error::WrongInput(format!("the instructions are {bytes} bytes long; at most {INSTRUCTIONS_BYTES} are allowed")));
    }
    if instructions.contains('\0') {
        return Err(Error::WrongInput("the instructions hold the character \\u0000, which is not allowed".into()));
    }
    Ok(())
}

/// Whether a model can call a tool by this name, and so for every provider.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// What the agent binds under this name.
fn bound<'a>(agent: &'a Agent, name: &str) -> Option<&'a ToolRef> {
    agent.tools.get(name).map(|binding| &binding.tool)
}

/// Whether these names can stand beside those under which the agent binds tools. Of a tool that the client runs anyway
/// the agent's own declaration holds: clients say with each input what they can do.
fn check_names(agent: &Agent, tools: &[DeclaredTool]) -> Result<(), Error> {
    let mut names = HashSet::new();
    for (at, tool) in tools.iter().enumerate() {
        let wrong = |why: String| Err(Error::WrongTool { name: tool.name.clone(), why });
        if at >= DECLARED_TOOLS {
            return wrong(format!("at most {DECLARED_TOOLS} tools can be declared with one input"));
        }
        if !is_name(&tool.name) {
            return wrong(format!("a name is 1 to {NAME} of a-z, A-Z, 0-9, _ and -"));
        }
        if matches!(bound(agent, &tool.name), Some(ToolRef::Plugin(_))) {
            return wrong("the agent has a tool of this name, which runs on the server; choose another name".into());
        }
        if !names.insert(&tool.name) {
            return wrong("it is declared twice".into());
        }
        if tool.description.chars().count() > DESCRIPTION {
            return wrong(format!("its description may have at most {DESCRIPTION} characters"));
        }
        if tool.description.contains('\0') {
            return wrong("its description holds the character \\u0000, which is not allowed".into());
        }
    }
    Ok(())
}

/// The tools with schemas that are usable. Patterns take their time to compile, which is not spent where requests are served.
async fn usable(mut tools: Vec<DeclaredTool>) -> Result<Vec<DeclaredTool>, Error> {
    let work = tokio::task::spawn_blocking(move || {
        for tool in &mut tools {
            let compiled = of_an_object(&tool.input).and_then(|text| Schema::compile(&text).map(|_| text));
            let why = |why| Error::WrongTool { name: tool.name.clone(), why: format!("its schema cannot be used: {why}") };
            tool.input = compiled.map_err(why)?;
        }
        Ok(tools)
    });
    work.await.unwrap_or(Err(Error::Overloaded("schemas that are being read")))
}

/// A schema of an object's members, of whichever dialect: the arguments of a call are an object, also where nobody says so.
fn of_an_object(schema: &str) -> Result<String, String> {
    let Members(members) = serde_json::from_str(schema).map_err(|e| format!("it is no JSON object: {e}"))?;
    let mut out = String::with_capacity(schema.len() + 16);
    let mut put = |name: &str, value: &RawValue| {
        out.push_str(if out.is_empty() { "{" } else { "," });
        push_string(&mut out, name);
        out.push(':');
        out.push_str(value.get());
    };
    let other_dialect = |value: &RawValue| serde_json::from_str::<String>(value.get()).is_ok_and(|it| it.trim_end_matches('#') != DIALECT);
    for (name, value) in members.iter().filter(|(name, value)| name != "$schema" || !other_dialect(value)) {
        put(name, value);
    }
    if !members.iter().any(|(name, _)| name == "type") {
        let object: &RawValue = serde_json::from_str("\"object\"").expect("a JSON string");
        put("type", object);
    }
    out.push('}');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_another_dialect_or_without_a_type_is_one_of_an_object() {
        let zod = r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"n":{"const":1.10}}}"#;
        assert_eq!(of_an_object(zod).unwrap(), r#"{"type":"object","properties":{"n":{"const":1.10}}}"#);
        assert_eq!(of_an_object("{}").unwrap(), r#"{"type":"object"}"#);
        let own = format!(r#"{{"$schema":"{DIALECT}#","type":"object"}}"#);
        assert_eq!(of_an_object(&own).unwrap(), own);
        assert!(of_an_object("[]").is_err());
    }

    #[tokio::test]
    async fn a_schema_that_cannot_be_used_names_its_tool() {
        let tool = |input: &str| DeclaredTool { name: "locate".into(), description: String::new(), input: input.into() };
        assert_eq!(usable(vec![tool("{}")]).await.unwrap()[0].input, r#"{"type":"object"}"#);
        for input in ["", "true", r#"{"type":"string"}"#, r##"{"type":"object","properties":{"a":{"$ref":"http://x"}}}"##] {
            let Err(Error::WrongTool { name, why }) = usable(vec![tool(input)]).await else { panic!("{input}") };
            assert!(name == "locate" && why.contains("schema"), "{why}");
        }
    }

    #[test]
    fn names_are_what_every_provider_takes() {
        for (name, legal) in [("a", true), ("a-B_9", true), ("", false), ("a.b", false), ("é", false)] {
            assert_eq!(is_name(name), legal, "{name}");
        }
        assert!(is_name(&"n".repeat(NAME)) && !is_name(&"n".repeat(NAME + 1)));
    }
}
