//! How many tokens a prompt may be, before its provider has counted it. The
//! provider's own count is the truth afterwards: what is known then is the last
//! count and what was added since. No tokenizer: a wrong one is further off
//! than these (a foreign one was 40 % low on real sessions, four bytes a token
//! 23 %), so leave 10 to 15 % of the window free, and take an overflow's word.

use session::ItemBody;

use crate::prompt::Prompt;

/// Bytes of prose that are a token, on average.
const TEXT_BYTES: usize = 4;

/// Bytes of JSON or code that are a token: signs and short names take more tokens.
const JSON_BYTES: usize = 3;

/// What stands around an item or a tool on the wire: roles, ids, brackets.
const FRAME_TOKENS: u64 = 8;

/// Tokens of so many bytes of prose.
pub fn text(bytes: usize) -> u64 {
    bytes.div_ceil(TEXT_BYTES) as u64
}

/// Tokens of so many bytes of JSON or code.
pub fn json(bytes: usize) -> u64 {
    bytes.div_ceil(JSON_BYTES) as u64
}

/// Tokens of one piece of a conversation.
pub fn item(body: &ItemBody) -> u64 {
    FRAME_TOKENS
        + match body {
            ItemBody::User { text: words } => text(words.len()),
            ItemBody::Assistant { thinking, text: words, calls, raw: _ } => {
                // Not the raw form: encrypted reasoning is much longer than the tokens that it stands for.
                let calls = calls.iter().map(|call| FRAME_TOKENS + json(call.name.len() + call.arguments.len()));
                text(thinking.len() + words.len()) + calls.sum::<u64>()
            }
            ItemBody::ToolResult { output, .. } => json(output.len()),
        }
}

/// Tokens of a whole prompt: system text, tools, conversation, schema of the answer.
pub fn prompt(prompt: &Prompt<'_>) -> u64 {
    let tools = prompt.tools.iter().map(|(name, spec)| FRAME_TOKENS + text(name.len() + spec.description.len()) + json(spec.input.len()));
    let output = prompt.output.map_or(0, |output| json(output.schema.to_string().len()));
    text(prompt.system.len()) + tools.sum::<u64>() + output + prompt.items.iter().map(|piece| item(&piece.body)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use session::{AskedCall, Item};

    use super::*;
    use crate::prompt::ToolList;

    #[test]
    fn prose_is_four_bytes_a_token_and_json_three() {
        assert_eq!([text(0), text(1), text(8), json(9), json(10)], [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_prompt_is_all_of_its_parts() {
        let call = AskedCall { id: "a".into(), name: "find".into(), arguments: "{\"q\":1234567}".into() };
        let items = [
            Item::new(ItemBody::User { text: "x".repeat(400) }),
            Item::new(ItemBody::Assistant { thinking: "t".repeat(40), text: String::new(), calls: vec![call], raw: None }),
            Item::new(ItemBody::ToolResult { call_id: "a".into(), name: "find".into(), output: "y".repeat(300), error: false }),
        ];
        let (tools, parameters) = (ToolList::default(), Map::new());
        let asked =
            Prompt { system: "be kind!", tools: &tools, items: &items, parameters: &parameters, retry: None, stream: false, output: None };
        assert_eq!(prompt(&asked), 2 + (8 + 100) + (8 + 10 + 8 + 6) + (8 + 100));
    }
}
