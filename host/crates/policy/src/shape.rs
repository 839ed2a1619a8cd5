//! What the operator says about components that do not describe themselves:
//! which shape one has, how a command is started, and words about a tool that
//! stand in place of its author's.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file::{CommandFile, PluginFile, ToolFile};
use crate::problem::Problem;

/// Arguments of a command: more are no command line that a person wrote.
const ARGUMENTS_MAX: usize = 64;

/// All of them together.
const ARGUMENTS_BYTES_MAX: usize = 16 << 10;

/// A description: it is part of every prompt, and no longer than an author's may be.
const DESCRIPTION_BYTES_MAX: usize = 4 << 10;

/// What kind of component a plugin is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// It exports the plugin contract.
    #[default]
    Native,
    /// Its exported functions become tools.
    Functions,
    /// It is a command that reads and writes JSON.
    Command,
}

impl Shape {
    /// As it stands in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Functions => "functions",
            Self::Command => "command",
        }
    }
}

/// What a tool promises, in the operator's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trait {
    /// It changes nothing outside the call.
    ReadOnly,
    /// Twice with the same call id is the same as once.
    Idempotent,
    /// It only adds.
    Additive,
    /// It touches only what was granted.
    ClosedWorld,
}

/// `[plugin.NAME.command]`, checked: how a command is started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// What it gets as its arguments, after its own name.
    pub arguments: Arc<[String]>,
    /// JSON Schema of what it reads, in place of its manifest's.
    pub input: Option<Arc<str>>,
}

/// What the operator says about a tool in place of its author.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// The description that the model reads.
    pub description: Option<Arc<str>>,
    /// What the tool promises.
    pub traits: Option<Arc<[Trait]>>,
}

impl Words {
    pub(crate) fn build(key: &str, file: &ToolFile, problems: &mut Vec<Problem>) -> Self {
        let long = file.description.as_ref().filter(|text| text.len() > DESCRIPTION_BYTES_MAX);
        problems.extend(long.map(|text| {
            let message = format!("the description is {} bytes long; at most {DESCRIPTION_BYTES_MAX} are allowed", text.len());
            Problem::error(format!("{key}.description"), message, "say what the tool does and when to use it")
        }));
        Self { description: file.description.as_deref().map(Into::into), traits: file.traits.as_deref().map(Into::into) }
    }
}

impl Start {
    pub(crate) fn build(key: &str, file: &PluginFile, problems: &mut Vec<Problem>) -> Self {
        let Some(command) = &file.command else { return Self::default() };
        let shape = file.shape.unwrap_or_default();
        if shape != Shape::Command {
            let message = format!("nothing comes of it, because the plugin's shape is {}", shape.word());
            problems.push(Problem::warning(format!("{key}.command"), message, "write shape = \"command\" if it is a command"));
        }
        problems.extend(faults(key, command));
        Self { arguments: command.arguments.clone().into(), input: command.input.as_deref().map(Into::into) }
    }
}

fn faults(key: &str, command: &CommandFile) -> Vec<Problem> {
    let mut found = Vec::new();
    let bytes: usize = command.arguments.iter().map(String::len).sum();
    if command.arguments.len() > ARGUMENTS_MAX || bytes > ARGUMENTS_BYTES_MAX {
        let message = format!("at most {ARGUMENTS_MAX} arguments of {ARGUMENTS_BYTES_MAX} bytes together are allowed");
        found.push(Problem::error(format!("{key}.command.arguments"), message, "let the command read what is long from its input"));
    }
    if command.arguments.iter().any(|argument| argument.contains('\0')) {
        found.push(Problem::error(format!("{key}.command.arguments"), "no argument can hold the character \\u0000", "leave it out"));
    }
    let schema = command.input.as_deref().map(serde_json::from_str::<Value>);
    if schema.is_some_and(|read| !read.is_ok_and(|value| value.is_object())) {
        let help = "write a JSON Schema such as '''{\"type\": \"object\"}'''";
        found.push(Problem::error(format!("{key}.command.input"), "this is not a JSON object", help));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Policy, file::PolicyFile};

    fn built(text: &str) -> Result<Policy, Vec<Problem>> {
        Policy::build(&PolicyFile::parse(text).unwrap(), Path::new("/"), &[])
    }

    #[test]
    fn a_command_is_started_as_the_file_says() {
        let text = "[plugin.jaq]\nshape = 'command'\n[plugin.jaq.command]\narguments = ['-c', '.name']\ninput = '{\"type\":\"object\"}'\n\
                    [plugin.jaq.tool.jaq]\ndescription = 'Finds the name.'\ntraits = ['read-only', 'idempotent']\n";
        let policy = built(text).unwrap();
        let grant = policy.plugin("jaq", None).unwrap();
        assert_eq!((grant.shape, &*grant.start.arguments), (Shape::Command, &["-c".to_owned(), ".name".to_owned()][..]));
        let words = grant.words("jaq").unwrap();
        assert_eq!(words.description.as_deref(), Some("Finds the name."));
        assert_eq!(words.traits.as_deref(), Some(&[Trait::ReadOnly, Trait::Idempotent][..]));
        assert_eq!((policy.warnings(), grant.words("other")), (&[][..], None));
        assert_eq!(policy.shape("jaq"), Shape::Command);
        assert_eq!(policy.shape("nobody"), Shape::Native);
    }

    #[test]
    fn what_a_command_cannot_be_started_with_is_refused_with_its_key() {
        let arguments = |list: &str| format!("[plugin.c]\nshape = 'command'\n[plugin.c.command]\narguments = {list}\n");
        let many = format!("[{}]", "'x',".repeat(65));
        let long = format!("['{}']", "x".repeat(20_000));
        for (text, said) in [
            (arguments(&many), "plugin.c.command.arguments: at most 64 arguments"),
            (arguments(&long), "plugin.c.command.arguments: at most 64 arguments of 16384 bytes"),
            (arguments("[\"a\\u0000\"]"), "no argument can hold the character \\u0000"),
            ("[plugin.c]\nshape = 'command'\ncommand = { input = '[1]' }\n".into(), "plugin.c.command.input: this is not a JSON object"),
            ("[plugin.c]\nshape = 'command'\ncommand = { input = 'x' }\n".into(), "this is not a JSON object"),
            (format!("[plugin.c.tool.c]\ndescription = '{}'\n", "x".repeat(4_097)), "plugin.c.tool.c.description: the description is 4097"),
        ] {
            let problems = built(&text).unwrap_err();
            assert!(problems[0].to_string().contains(said), "{}", problems[0]);
        }
    }

    #[test]
    fn how_to_start_what_is_no_command_is_said_to_mean_nothing() {
        let policy = built("[plugin.c.command]\narguments = ['x']\n").unwrap();
        let said = policy.warnings()[0].to_string();
        assert_eq!(
            said,
            "plugin.c.command: nothing comes of it, because the plugin's shape is native; write shape = \"command\" if it is a command"
        );
    }

    #[test]
    fn a_shape_and_a_trait_that_are_misspelt_are_answered_with_the_nearest_one() {
        for (text, help) in [
            ("[plugin.c]\nshape = 'function'\n", "did you mean `functions`?"),
            ("[plugin.c.tool.c]\ntraits = ['readonly']\n", "did you mean `read-only`?"),
            ("[plugin.c.command]\nargument = []\n", "did you mean `arguments`?"),
            ("[plugin.c.tool.c]\ndescripton = ''\n", "did you mean `description`?"),
        ] {
            assert_eq!(PolicyFile::parse(text).unwrap_err().help, help, "{text}");
        }
    }
}
