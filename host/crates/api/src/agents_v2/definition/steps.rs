//! The steps of an agent: instructions, tools, and the form of the answers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use session::{Instruction, Step, TemplateType, ToolBinding};

use super::{DESCRIPTION, NAME, output};
use crate::errors::{Code, Error, Result};
use crate::fields::Fields;
use crate::limits::{INSTRUCTIONS, TOOLS};

/// Characters of an instruction's text.
const TEMPLATE: usize = 200_000;
/// Characters of a step's name.
const STEP_NAME: usize = 255;
/// The entry step's name where the client gives none.
const FIRST_STEP: &str = "first_step";

/// The one step that a turn runs, in whichever form it came: `first_step`, or `first_step_name` with `steps`, or both.
pub(super) fn entry(fields: &Fields<'_>, tools: &BTreeMap<String, ToolBinding>) -> Result<(String, Step)> {
    let inline = match fields.value("first_step") {
        None => None,
        Some(value) => {
            let name = Fields::of(value, "first_step")?.text("name", 1..=STEP_NAME)?.unwrap_or(FIRST_STEP);
            Some((name, step(value, "first_step", tools)?))
        }
    };
    let named = fields.text("first_step_name", 1..=STEP_NAME)?;
    let name = match (&inline, named) {
        (Some((inline, _)), Some(named)) if *inline != named => {
            let why = format!("`first_step_name` says `{named}`, but `first_step.name` is `{inline}`; an agent has one entry step");
            return Err(Error::field("first_step_name", why));
        }
        (Some((name, _)), _) => *name,
        (None, Some(name)) => name,
        (None, None) => {
            return Err(Error::field(
                "first_step_name",
                "an agent needs an entry step: give `first_step_name` and `steps`, or `first_step`",
            ));
        }
    };
    let steps = fields.object("steps")?;
    if let Some((other, _)) = steps.into_iter().flatten().find(|(other, value)| *other != name && !value.is_null()) {
        let why = format!("steps beyond the entry step `{name}` are not supported in this version; leave `{other}` out");
        return Err(Error::field(format!("steps.{other}"), why));
    }
    let listed = steps.and_then(|steps| steps.get(name)).map(|value| step(value, &format!("steps.{name}"), tools)).transpose()?;
    match (inline.map(|(_, step)| step), listed) {
        (Some(inline), Some(listed)) if inline != listed => {
            Err(Error::field("first_step", format!("`first_step` and `steps.{name}` differ; they are the same step")))
        }
        (Some(step), _) | (None, Some(step)) => Ok((name.to_owned(), step)),
        (None, None) => Err(Error::field("first_step_name", format!("`first_step_name` names `{name}`, which is not among `steps`"))),
    }
}

fn step(value: &Value, at: &str, tools: &BTreeMap<String, ToolBinding>) -> Result<Step> {
    let fields = Fields::of(value, at)?;
    fields.refuse(&["reminders", "next_steps", "allowed_skills", "reentry_step"])?;
    let allowed_tools = fields.texts("allowed_tools", TOOLS)?;
    if let Some(unknown) = allowed_tools.iter().flatten().find(|name| !tools.contains_key(*name)) {
        let why = format!("`{unknown}` is not among this agent's `tool_configurations`");
        return Err(Error::field(fields.path("allowed_tools"), why));
    }
    let instructions = fields.list("instructions", INSTRUCTIONS)?.unwrap_or_default();
    let instructions = instructions.iter().enumerate().map(|(i, value)| instruction(value, &format!("{at}.instructions[{i}]")));
    Ok(Step { instructions: instructions.collect::<Result<_>>()?, allowed_tools, output: output::read(&fields)? })
}

fn instruction(value: &Value, at: &str) -> Result<Instruction> {
    let fields = Fields::of(value, at)?;
    match fields.text("type", 1..=64)? {
        Some("inline") => {}
        None if fields.value("template").is_some() => {}
        _ => {
            let why =
                format!("`{at}` must be an inline instruction with `name` and `template`; references are not supported in this version");
            return Err(Error::field(at, why).with(Code::InvalidInstructionReference));
        }
    }
    let template_type = match fields.text("template_type", 1..=32)? {
        None | Some("velocity") => TemplateType::Velocity,
        Some("text") => TemplateType::Text,
        Some(other) => {
            return Err(Error::field(fields.path("template_type"), format!("`template_type` must be text or velocity, not `{other}`")));
        }
    };
    let template = fields.required("template", fields.text("template", 0..=TEMPLATE)?)?;
    if template_type == TemplateType::Velocity {
        agent::template::check(template).map_err(|why| {
            let why = format!("`{}` is no template: {why}; with `template_type` text it stands as it is", fields.path("template"));
            Error::field(fields.path("template"), why).with(Code::InvalidTemplate)
        })?;
    }
    Ok(Instruction {
        name: fields.required("name", fields.text("name", 1..=NAME)?)?.to_owned(),
        description: fields.text("description", 0..=DESCRIPTION)?.map(str::to_owned),
        template: template.to_owned(),
        template_type,
        metadata: fields.metadata()?,
        enabled: fields.flag("enabled")?.unwrap_or(true),
    })
}

/// The answer's form of a step, without its name.
pub(super) fn written(step: &Step) -> Map<String, Value> {
    let instructions: Vec<Value> = step.instructions.iter().map(written_instruction).collect();
    let mut json = Map::from_iter([
        ("instructions".to_owned(), json!(instructions)),
        ("output_parser".to_owned(), output::written(step.output.as_ref())),
    ]);
    if let Some(allowed) = &step.allowed_tools {
        json.insert("allowed_tools".into(), json!(allowed));
    }
    json
}

fn written_instruction(instruction: &Instruction) -> Value {
    let mut json = json!({
        "type": "inline",
        "name": instruction.name,
        "template_type": instruction.template_type,
        "template": instruction.template,
        "metadata": instruction.metadata,
        "enabled": instruction.enabled,
    });
    if let Some(description) = &instruction.description {
        json["description"] = json!(description);
    }
    json
}
