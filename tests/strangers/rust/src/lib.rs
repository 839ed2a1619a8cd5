//! A plugin as a stranger writes it in Rust: the contract's WIT, plain
//! `wit-bindgen` and the standard library. `compute` works; `reach` tries what
//! nobody granted.

mod reach;

use exports::wardian::plugin::tools::{Call, Content, Guest, Tool, ToolError};
use serde_json::{Value, json};
use wardian::plugin::types::{Reason, Traits};

wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "plugin" });

struct Stranger;
export!(Stranger);

impl Guest for Stranger {
    fn describe() -> Vec<Tool> {
        let integer = |key: &str, least: u32, most: u32| {
            json!({"type": "object", "properties": {key: {"type": "integer", "minimum": least, "maximum": most}},
                "required": [key], "additionalProperties": false})
        };
        vec![
            tool("compute", "Counts the primes below a number and adds them up.", &integer("below", 2, 1_000_000)),
            tool("reach", "Tries everything that the language offers to reach the outside.", &integer("port", 1, 65_535)),
        ]
    }

    fn invoke(call: Call) -> Result<Vec<Content>, ToolError> {
        let input: Value = serde_json::from_str(&call.input).map_err(|error| invalid(&error.to_string()))?;
        let number = |key: &str| input[key].as_u64().ok_or_else(|| invalid(key));
        let answer = match call.tool.as_str() {
            "compute" => compute(number("below")?),
            "reach" => reach::everything(u16::try_from(number("port")?).map_err(|_| invalid("port"))?),
            other => return Err(error(Reason::NotFound, other)),
        };
        Ok(vec![Content::Data(answer.to_string())])
    }
}

fn tool(name: &str, description: &str, input: &Value) -> Tool {
    let traits = Traits::empty();
    Tool { name: name.into(), description: description.into(), input: input.to_string(), output: None, traits, annotations: None }
}

fn invalid(what: &str) -> ToolError {
    error(Reason::InvalidInput, what)
}

fn error(reason: Reason, message: &str) -> ToolError {
    ToolError { reason, message: message.into(), code: None, retry_after: None }
}

fn compute(below: u64) -> Value {
    let below = usize::try_from(below).unwrap_or(usize::MAX);
    let mut composite = vec![false; below];
    let (mut primes, mut sum) = (0_u64, 0_u64);
    for n in 2..below {
        if !composite[n] {
            primes += 1;
            sum += n as u64;
            (n * n..below).step_by(n).for_each(|multiple| composite[multiple] = true);
        }
    }
    json!({"primes": primes, "sum": sum})
}
