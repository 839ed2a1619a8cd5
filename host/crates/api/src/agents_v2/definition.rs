//! An agent's definition as JSON: read from a client, merged with a patch,
//! written back. What is written can be read again.

mod bindings;
pub(super) mod context;
mod output;
mod steps;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use agent::NewAgent;
use session::{Agent, ModelChoice, Retry, Step};

use crate::errors::{Code, Error, Result};
use crate::fields::{Fields, wrong};

pub(super) use bindings::wire;

/// Characters of an agent's and an instruction's name.
const NAME: usize = 50;
/// Characters of a description.
const DESCRIPTION: usize = 5_000;

/// Reads a whole definition.
pub(super) fn read(body: &Map<String, Value>, key: String) -> Result<NewAgent> {
    let fields = Fields::of_body(body);
    fields.refuse(&["skills", "tool_output_offloading"])?;
    let tools = bindings::read(&fields)?;
    let (first_step, step) = steps::entry(&fields, &tools)?;
    Ok(NewAgent {
        key,
        name: fields.required("name", fields.text("name", 1..=NAME)?)?.to_owned(),
        description: fields.text("description", 0..=DESCRIPTION)?.map(str::to_owned),
        model: model(&fields)?,
        tools,
        steps: BTreeMap::from([(first_step.clone(), step)]),
        first_step,
        compaction: context::read(&fields)?,
        metadata: fields.metadata()?,
        enabled: fields.flag("enabled")?.unwrap_or(true),
    })
}

fn model(fields: &Fields<'_>) -> Result<ModelChoice> {
    let value = fields.required("model", fields.value("model"))?;
    let model = Fields::of(value, "model").map_err(bad_model)?;
    let name = model.required("name", model.text("name", 1..=255).map_err(bad_model)?).map_err(bad_model)?;
    Ok(ModelChoice {
        name: name.to_owned(),
        parameters: model.object("parameters").map_err(bad_model)?.cloned().unwrap_or_default(),
        retry: model.value("retry_configuration").map(retry).transpose().map_err(bad_model)?,
    })
}

fn bad_model(error: Error) -> Error {
    error.with(Code::InvalidModelConfiguration)
}

fn retry(value: &Value) -> Result<Retry> {
    let (fields, default) = (Fields::of(value, "model.retry_configuration")?, Retry::default());
    let retries = fields.count("max_retries", 0..=10)?.and_then(|number| u32::try_from(number).ok());
    Ok(Retry {
        enabled: fields.flag("enabled")?.unwrap_or(default.enabled),
        max_retries: retries.unwrap_or(default.max_retries),
        initial_backoff_ms: fields.count("initial_backoff_ms", 100..=60_000)?.unwrap_or(default.initial_backoff_ms),
        max_backoff_ms: fields.count("max_backoff_ms", 1_000..=300_000)?.unwrap_or(default.max_backoff_ms),
        backoff_factor: fields.number("backoff_factor", 1.0..=10.0)?.unwrap_or(default.backoff_factor),
    })
}

/// A definition with a patch put over it, ready to be read: what is absent stays, null clears,
/// entries of maps go one by one, steps are merged member by member.
pub(super) fn patched(agent: &Agent, patch: &Map<String, Value>) -> Result<Map<String, Value>> {
    let Value::Object(mut whole) = written(agent) else { return Err(Error::internal("an agent is written as an object")) };
    whole.remove("first_step");
    for (member, change) in patch {
        match (member.as_str(), change) {
            ("first_step" | "steps", Value::Object(_)) | ("key", _) => {}
            // An agent cannot be without them, so null says nothing.
            ("steps" | "first_step" | "first_step_name", Value::Null) => {}
            ("tool_configurations", Value::Object(changes)) => merge_entries(&mut whole, member, changes),
            (_, Value::Null) => drop(whole.remove(member)),
            _ => drop(whole.insert(member.clone(), change.clone())),
        }
    }
    if let Some(steps) = patch.get("steps").and_then(Value::as_object) {
        for (name, change) in steps {
            merge_step(&mut whole, name, change)?;
        }
    }
    if let Some(change) = patch.get("first_step").and_then(Value::as_object) {
        rename_entry(&mut whole, &agent.first_step, change.get("name").and_then(Value::as_str));
        let name = whole.get("first_step_name").and_then(Value::as_str).unwrap_or(&agent.first_step).to_owned();
        let mut change = change.clone();
        change.remove("name");
        merge_step(&mut whole, &name, &change.into())?;
    }
    Ok(whole)
}

fn merge_entries(whole: &mut Map<String, Value>, member: &str, changes: &Map<String, Value>) {
    let Some(entries) = whole.entry(member).or_insert_with(|| json!({})).as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            entries.remove(name);
        } else {
            entries.insert(name.clone(), change.clone());
        }
    }
}

fn merge_step(whole: &mut Map<String, Value>, name: &str, change: &Value) -> Result<()> {
    let Some(steps) = whole.entry("steps").or_insert_with(|| json!({})).as_object_mut() else { return Ok(()) };
    match change {
        Value::Null => drop(steps.remove(name)),
        Value::Object(changes) => {
            let step = steps.entry(name).or_insert_with(|| json!({}));
            for (member, change) in changes {
                step[member] = change.clone();
            }
        }
        other => return Err(wrong(&format!("steps.{name}"), "an object or null", other)),
    }
    Ok(())
}

fn rename_entry(whole: &mut Map<String, Value>, old: &str, new: Option<&str>) {
    let Some(new) = new.filter(|new| *new != old) else { return };
    if let Some(steps) = whole.get_mut("steps").and_then(Value::as_object_mut)
        && let Some(step) = steps.remove(old)
    {
        steps.insert(new.to_owned(), step);
    }
    whole.insert("first_step_name".into(), json!(new));
}

/// The answer's form. The entry step stands in it in both forms.
pub(super) fn written(agent: &Agent) -> Value {
    let steps: Map<String, Value> = agent.steps.iter().map(|(name, step)| (name.clone(), steps::written(step).into())).collect();
    let mut first_step = Map::from_iter([("name".to_owned(), json!(agent.first_step))]);
    first_step.extend(steps::written(agent.entry_step().unwrap_or(&Step::default())));
    let tools: Map<String, Value> = agent.tools.iter().map(|(name, binding)| (name.clone(), bindings::written(binding))).collect();
    let mut json = json!({
        "key": agent.key,
        "name": agent.name,
        "tool_configurations": tools,
        "model": written_model(&agent.model),
        "first_step": first_step,
        "first_step_name": agent.first_step,
        "steps": steps,
        "metadata": agent.metadata,
        "enabled": agent.enabled,
        "created_at": agent.created_at.rfc3339(),
        "updated_at": agent.updated_at.rfc3339(),
    });
    if let Some(description) = &agent.description {
        json["description"] = json!(description);
    }
    if let Some(setting) = &agent.compaction {
        json["compaction"] = context::written(setting);
    }
    json
}

/// The answer's form for keys that may list agents and not read them: which there are, and not what they are told and given.
pub(super) fn outlined(agent: &Agent) -> Value {
    let model = ModelChoice { name: agent.model.name.clone(), parameters: Map::new(), retry: None };
    let steps = agent.steps.keys().map(|name| (name.clone(), Step::default())).collect();
    written(&Agent { model, steps, tools: BTreeMap::new(), compaction: None, metadata: Map::new(), ..agent.clone() })
}

fn written_model(model: &ModelChoice) -> Value {
    let mut json = json!({ "name": model.name });
    if !model.parameters.is_empty() {
        json["parameters"] = model.parameters.clone().into();
    }
    if let Some(retry) = &model.retry {
        json["retry_configuration"] = json!(retry);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use session::{Identity, Millis, Secrets, Uid};

    fn parse(body: &Value) -> Result<NewAgent> {
        read(body.as_object().unwrap(), "agt_x".into())
    }

    fn body() -> Value {
        json!({
            "name": "Support",
            "model": {"name": "default", "parameters": {"temperature": 0.1}, "retry_configuration": {"max_retries": 2}},
            "tool_configurations": {"search": {"type": "dynamic_vectara", "tool_id": "tol_knowledge_knowledge_base_search"}},
            "first_step": {"instructions": [{"name": "role", "template": "be kind", "template_type": "text"}]},
        })
    }

    fn agent(body: &Value) -> Agent {
        let new = parse(body).unwrap();
        Agent {
            uid: Uid([1; 16]),
            tenant: Uid([2; 16]),
            key: new.key,
            revision: 1,
            name: new.name,
            description: new.description,
            model: new.model,
            tools: new.tools,
            first_step: new.first_step,
            steps: new.steps,
            compaction: new.compaction,
            secrets: Secrets::default(),
            identity: Identity::default(),
            metadata: new.metadata,
            enabled: new.enabled,
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    fn patch(change: Value) -> Value {
        let seen = agent(&body());
        let whole = patched(&seen, change.as_object().unwrap()).unwrap();
        written(&agent(&whole.into()))
    }

    #[test]
    fn what_is_written_can_be_sent_back() {
        let once = written(&agent(&body()));
        assert_eq!(once["first_step"]["name"], "first_step");
        assert_eq!(once["steps"]["first_step"]["output_parser"]["type"], "default");
        assert_eq!(written(&agent(&once)), once);
    }

    #[test]
    fn an_outline_has_every_member_and_none_of_what_the_agent_is_told() {
        let mut body = body();
        body["metadata"] = json!({"team": "t"});
        body["first_step"]["allowed_tools"] = json!(["search"]);
        let whole = written(&agent(&body));
        let outline = outlined(&agent(&body));
        assert!(whole.as_object().unwrap().keys().eq(outline.as_object().unwrap().keys()));
        assert_eq!((&outline["name"], &outline["model"]), (&json!("Support"), &json!({"name": "default"})));
        assert_eq!((&outline["tool_configurations"], &outline["metadata"]), (&json!({}), &json!({})));
        for step in [&outline["first_step"], &outline["steps"]["first_step"]] {
            assert_eq!((&step["instructions"], step.get("allowed_tools")), (&json!([]), None));
        }
    }

    #[test]
    fn the_entry_step_is_taken_in_both_forms() {
        let named = json!({"name": "a", "model": {"name": "m"}, "first_step_name": "s", "steps": {"s": {"instructions": []}}});
        assert_eq!(parse(&named).unwrap().first_step, "s");
        let both = json!({"name": "a", "model": {"name": "m"}, "first_step": {"name": "s"}, "steps": {"s": {"type": "conversational"}}});
        assert_eq!(parse(&both).unwrap().first_step, "s");
        let differing = json!({"name": "a", "model": {"name": "m"}, "first_step": {"name": "s", "allowed_tools": []}, "steps": {"s": {}}});
        assert!(parse(&differing).is_err());
        assert!(parse(&json!({"name": "a", "model": {"name": "m"}})).is_err());
        assert!(parse(&json!({"name": "a", "model": {"name": "m"}, "first_step_name": "s"})).is_err());
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (pointer, value, field) in [
            ("skills", json!({"a": {}}), "skills"),
            ("steps", json!({"second": {}}), "steps.second"),
            ("compaction", json!({"threshold_percent": 20}), "compaction.threshold_percent"),
            ("first_step", json!({"output_parser": {"type": "structured"}}), "first_step.output_parser.json_schema"),
            ("first_step", json!({"next_steps": [{"step_name": "x"}]}), "first_step.next_steps"),
            ("first_step", json!({"instructions": [{"type": "reference", "id": "ins_1"}]}), "first_step.instructions[0]"),
            (
                "tool_configurations",
                json!({"t": {"tool_id": "tol_a_b", "description_template": "x"}}),
                "tool_configurations.t.description_template",
            ),
            ("tool_configurations", json!({"t": {"type": "web_search"}}), "tool_configurations.t.type"),
        ] {
            let mut body = body();
            body[pointer] = value;
            let error = parse(&body).unwrap_err();
            assert!(error.body("r")["field_errors"][field].is_string(), "{field}: {error:?}");
        }
    }

    #[test]
    fn what_an_agent_sets_of_a_tools_arguments_is_kept_as_written_or_refused_by_its_key() {
        let with = |set: Value| {
            let mut body = body();
            body["tool_configurations"]["search"]["argument_override"] = set;
            body
        };
        let set = json!({"headers.x": {"$ref": "$.agent.secrets.token"}, "n": 1, "q": {"$ref": "tools.search.outputs.latest.next"}});
        assert_eq!(written(&agent(&with(set.clone())))["tool_configurations"]["search"]["argument_override"], set);
        for (set, field) in [
            (json!({"q": {"$ref": "nowhere"}}), "tool_configurations.search.argument_override.q"),
            (json!({"q": 1, "q.a": 2}), "tool_configurations.search.argument_override.q.a"),
            (json!({"q": {"$ref": "tools.other.outputs.latest"}}), "tool_configurations.search.argument_override"),
            (json!("x"), "tool_configurations.search.argument_override"),
        ] {
            let error = parse(&with(set)).unwrap_err();
            assert!(error.body("r")["field_errors"][field].is_string(), "{field}: {error:?}");
        }
    }

    #[test]
    fn a_patch_keeps_what_is_absent() {
        assert_eq!(patch(json!({})), written(&agent(&body())));
        assert_eq!(patch(json!({"description": "d"}))["description"], "d");
    }

    #[test]
    fn null_clears_and_removes_entries_of_maps_one_by_one() {
        let got = patch(
            json!({"metadata": null, "enabled": null, "tool_configurations": {"search": null, "sum": {"tool_id": "tol_calculator_calculate"}}}),
        );
        assert_eq!((&got["metadata"], &got["enabled"]), (&json!({}), &json!(true)));
        assert_eq!(got["tool_configurations"], json!({"sum": {"type": "dynamic_vectara", "tool_id": "tol_calculator_calculate"}}));
        assert_eq!(patch(json!({"tool_configurations": null}))["tool_configurations"], json!({}));
        let set = json!({"compaction": {"keep_recent_inputs": 2}});
        assert_eq!(patch(set.clone())["compaction"]["keep_recent_inputs"], 2);
        let seen = agent(&patched(&agent(&body()), set.as_object().unwrap()).unwrap().into());
        let cleared = patched(&seen, json!({"compaction": null}).as_object().unwrap()).unwrap();
        assert_eq!(written(&agent(&cleared.into())).get("compaction"), None);
    }

    #[test]
    fn a_patched_entry_step_changes_in_both_forms_and_may_be_renamed() {
        let got = patch(json!({"first_step": {"name": "start", "allowed_tools": ["search"]}}));
        assert_eq!(got["first_step_name"], "start");
        assert_eq!(got["steps"]["start"]["allowed_tools"], json!(["search"]));
        assert_eq!(got["first_step"]["instructions"][0]["template"], "be kind");
        let got = patch(json!({"steps": {"first_step": {"instructions": []}}}));
        assert_eq!(got["first_step"]["instructions"], json!([]));
    }

    #[test]
    fn a_tool_reference_that_is_no_tool_has_its_own_code() {
        let mut body = body();
        body["tool_configurations"] = json!({"t": {"type": "dynamic_vectara", "tool_id": "weather"}});
        assert_eq!(parse(&body).unwrap_err().code(), Code::InvalidToolReference);
        body["tool_configurations"] = json!({"a tool": {"tool_id": "tol_a_b"}});
        assert_eq!(parse(&body).unwrap_err().code(), Code::InvalidRequest);
    }
}
