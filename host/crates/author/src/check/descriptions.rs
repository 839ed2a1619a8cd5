//! Names, descriptions, promises: what a model and an operator choose by.

use super::{Described, Finding, examples};

/// Model providers take no longer name; tools are offered as `PLUGIN__TOOL` where two plugins have one of the same name, and over MCP.
const NAME_BYTES_MAX: usize = 64;

/// A description that is shorter says no more than the name does.
const DESCRIPTION_CHARS_MIN: usize = 30;

/// Some providers refuse or cut longer descriptions.
const DESCRIPTION_CHARS_MAX: usize = 1_024;

pub(super) fn read(plugin: &str, tool: &Described) -> Vec<Finding> {
    let place = format!("tool {}", tool.name);
    let mut findings = Vec::new();
    let long = plugin.len() + 2 + tool.name.len();
    if long > NAME_BYTES_MAX {
        findings.push(Finding::warning(
            &place,
            format!("as {plugin}__{} its name has {long} bytes, and model providers take at most {NAME_BYTES_MAX}", tool.name),
            "shorten the tool's name or the plugin's",
        ));
    }
    match tool.description.chars().count() {
        0 => findings.push(Finding::error(&place, "it has no description", "say what it does, when to use it and when not to")),
        chars if chars < DESCRIPTION_CHARS_MIN => findings.push(Finding::warning(
            &place,
            format!("its description {:?} is very short", tool.description),
            "say what it does, when to use it and when not to: the model chooses by nothing else",
        )),
        chars if chars > DESCRIPTION_CHARS_MAX => findings.push(Finding::warning(
            &place,
            format!("its description has {chars} characters, and some model providers take at most {DESCRIPTION_CHARS_MAX}"),
            "move what is about one argument into that argument's description",
        )),
        _ => {}
    }
    if tool.traits == tool::Traits::default() {
        findings.push(Finding::note(
            &place,
            "it promises nothing, so it counts as one that may destroy things: an operator may have each call approved; see `traits`",
        ));
    }
    if examples(tool).is_empty() {
        findings
            .push(Finding::note(&place, "it has no examples; those in its annotations ({\"examples\": [{\"input\": …}]}) are run here"));
    }
    findings
}
