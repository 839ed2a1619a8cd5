//! How an agent's conversations are kept within the model's window: `compaction`.

use serde_json::{Value, json};

use session::{Compaction, ToolEventPolicy};

use crate::errors::{Error, Result};
use crate::fields::Fields;

/// Characters of what an agent adds to the instructions for summaries.
const MESSAGE: usize = 10_000;

/// Inputs that can stay word for word; more than any window holds.
const INPUTS: u64 = 1_000_000;

const POLICIES: [(&str, ToolEventPolicy); 3] = [
    ("exclude", ToolEventPolicy::Exclude),
    ("include_outputs", ToolEventPolicy::IncludeOutputs),
    ("include_all", ToolEventPolicy::IncludeAll),
];

/// Reads `compaction`, if it is there; what it leaves out is as by default.
pub(super) fn read(fields: &Fields<'_>) -> Result<Option<Compaction>> {
    let Some(value) = fields.value("compaction") else { return Ok(None) };
    let (fields, default) = (Fields::of(value, "compaction")?, Compaction::default());
    let number = |member, bounds| Ok::<_, Error>(fields.count(member, bounds)?.and_then(|number| u32::try_from(number).ok()));
    let setting = Compaction {
        enabled: fields.flag("enabled")?.unwrap_or(default.enabled),
        threshold_percent: number("threshold_percent", 50..=95)?.unwrap_or(default.threshold_percent),
        keep_recent_inputs: number("keep_recent_inputs", 1..=INPUTS)?.unwrap_or(default.keep_recent_inputs),
        message: fields.text("compaction_message", 0..=MESSAGE)?.filter(|text| !text.is_empty()).map(str::to_owned),
        tool_events: policy(&fields)?.unwrap_or(default.tool_events),
    };
    Ok(Some(setting))
}

fn policy(fields: &Fields<'_>) -> Result<Option<ToolEventPolicy>> {
    let Some(word) = fields.text("tool_event_policy", 1..=64)? else { return Ok(None) };
    let policy = POLICIES.iter().find(|(known, _)| *known == word).map(|(_, policy)| *policy);
    let words = POLICIES.map(|(word, _)| word).join(", ");
    let at = fields.path("tool_event_policy");
    policy.map(Some).ok_or_else(|| Error::field(&at, format!("`{at}` must be one of {words}, not `{word}`")))
}

/// As clients get it, every member that has a value.
pub(in crate::agents_v2) fn written(setting: &Compaction) -> Value {
    let Compaction { enabled, threshold_percent, keep_recent_inputs, message, tool_events } = setting;
    let policy = POLICIES.iter().find(|(_, policy)| policy == tool_events).map(|(word, _)| *word);
    let mut json = json!({
        "enabled": enabled,
        "threshold_percent": threshold_percent,
        "keep_recent_inputs": keep_recent_inputs,
        "tool_event_policy": policy,
    });
    if let Some(message) = message {
        json["compaction_message"] = json!(message);
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: Value) -> Result<Option<Compaction>> {
        let body = json!({ "compaction": value });
        read(&Fields::of(&body, "")?)
    }

    #[test]
    fn what_is_written_is_read_the_same_and_what_is_left_out_is_as_by_default() {
        let whole = json!({"enabled": false, "threshold_percent": 95, "keep_recent_inputs": 3, "compaction_message": "Keep prices.",
            "tool_event_policy": "include_all"});
        let setting = parse(whole.clone()).unwrap().unwrap();
        assert_eq!(written(&setting), whole);
        assert_eq!(parse(json!({})).unwrap(), Some(Compaction::default()));
        assert_eq!(parse(Value::Null).unwrap(), None);
        assert_eq!(written(&Compaction::default())["tool_event_policy"], "include_outputs");
    }

    #[test]
    fn a_member_out_of_its_bounds_is_named() {
        for (member, value) in [
            ("enabled", json!("yes")),
            ("threshold_percent", json!(49)),
            ("threshold_percent", json!(96)),
            ("keep_recent_inputs", json!(0)),
            ("compaction_message", json!("x".repeat(MESSAGE + 1))),
            ("tool_event_policy", json!("some")),
        ] {
            let error = parse(json!({ member: value })).unwrap_err();
            assert!(error.body("r")["field_errors"][format!("compaction.{member}")].is_string(), "{error:?}");
        }
        assert!(parse(json!([])).is_err());
    }
}
