//! Results as JSON text. A jq value can be what JSON cannot: a number that is
//! not finite becomes null, as in jq; bytes and keys that are no text are refused.

use jaq_json::{Num, Val};

/// Deeper values are refused; it bounds the stack.
const DEPTH_MAX: usize = 200;

/// Appends a value to `out`, which may not grow beyond `bytes_max`.
pub(crate) fn write(value: &Val, out: &mut String, bytes_max: usize) -> Result<(), Refused> {
    Writer { out, bytes_max }.value(value, 0)
}

/// Why a value cannot be written.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    /// The text would be longer than allowed.
    TooLong,
    /// It is no JSON.
    NoJson(&'static str),
}

struct Writer<'a> {
    out: &'a mut String,
    bytes_max: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Val, depth: usize) -> Result<(), Refused> {
        if depth > DEPTH_MAX {
            return Err(Refused::NoJson("a result is nested too deeply"));
        }
        match value {
            Val::Null => self.text("null"),
            Val::Bool(true) => self.text("true"),
            Val::Bool(false) => self.text("false"),
            Val::Num(Num::Float(float)) if !float.is_finite() => self.text("null"),
            Val::Num(Num::Float(float)) if float.fract() == 0.0 && float.abs() < 1e15 => self.text(&format!("{float:.0}")),
            Val::Num(number) => self.text(&number.to_string()),
            Val::TStr(bytes) => self.string(bytes),
            Val::BStr(_) => Err(Refused::NoJson("a result holds bytes; make text of them with @base64")),
            Val::Arr(items) => self.list('[', ']', items.iter(), |writer, item| writer.value(item, depth + 1)),
            Val::Obj(map) => self.list('{', '}', map.iter(), |writer, (key, value)| {
                let Val::TStr(key) = key else {
                    return Err(Refused::NoJson("a result has a key that is no text"));
                };
                writer.string(key)?;
                writer.text(":")?;
                writer.value(value, depth + 1)
            }),
        }
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        self.text(open.encode_utf8(&mut [0; 4]))?;
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.text(",")?;
            }
            write(self, item)?;
        }
        self.text(close.encode_utf8(&mut [0; 4]))
    }

    fn string(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        // The contract does not let U+0000 through.
        let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
        let quoted = serde_json::to_string(&text).map_err(|_| Refused::NoJson("a result holds text that cannot be written"))?;
        self.text(&quoted)
    }

    fn text(&mut self, text: &str) -> Result<(), Refused> {
        if self.out.len() + text.len() > self.bytes_max {
            return Err(Refused::TooLong);
        }
        self.out.push_str(text);
        Ok(())
    }
}
