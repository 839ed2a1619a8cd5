//! Tools as the doors of conversations tell and are told of them.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use session::{AskedCall, DeclaredTool};

use crate::errors::Result;
use crate::fields::Fields;

/// Of a tool that the client declares, the member whose text is kept as it was written.
#[derive(Deserialize)]
pub(crate) struct ExactTool<'a> {
    #[serde(borrow, default)]
    pub parameters: Option<&'a RawValue>,
}

/// A tool that the client declares and runs; `parameters` is its member of this name, exact text.
pub(crate) fn declared(fields: &Fields<'_>, parameters: Option<&RawValue>) -> Result<DeclaredTool> {
    fields.object("parameters")?;
    Ok(DeclaredTool {
        name: fields.required("name", fields.text("name", 1..=usize::MAX)?)?.to_owned(),
        description: fields.text("description", 0..=usize::MAX)?.unwrap_or_default().to_owned(),
        input: parameters.map_or("{}", RawValue::get).to_owned(),
    })
}

/// A call that the agent asked for, in a history that the client brings.
pub(crate) fn asked_call(fields: &Fields<'_>) -> Result<AskedCall> {
    let id = fields.required("id", fields.text("id", 1..=usize::MAX)?)?;
    let function = Fields::of(fields.required("function", fields.value("function"))?, fields.path("function"))?;
    let name = function.required("name", function.text("name", 1..=usize::MAX)?)?;
    let arguments = function.text("arguments", 0..=usize::MAX)?.filter(|text| !text.trim().is_empty()).unwrap_or("{}");
    Ok(AskedCall { id: id.into(), name: name.into(), arguments: arguments.to_owned() })
}

/// A tool's output where there is a text for it and nothing else: that of a single text, else the JSON.
pub(crate) fn result(output: &str) -> String {
    match serde_json::from_str::<Value>(output) {
        Ok(Value::Object(members)) if members.len() == 1 => match members.get("text") {
            Some(Value::String(text)) => text.clone(),
            Some(_) | None => output.to_owned(),
        },
        Ok(_) | Err(_) => output.to_owned(),
    }
}
