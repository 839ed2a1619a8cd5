//! One event of AG-UI as it goes over the wire: a `data:` line of plain ASCII JSON and a blank line. A member that has
//! nothing to say is not written, because clients refuse `null`.

use session::json::{push_json, push_string};

/// An event that is being written.
pub(super) struct Event<'a>(&'a mut String);

impl<'a> Event<'a> {
    /// An event of this type.
    pub(super) fn new(out: &'a mut String, kind: &str) -> Self {
        out.push_str("data: {\"type\":\"");
        out.push_str(kind);
        out.push('"');
        Self(out)
    }

    /// A text.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.begin(name);
        push_string(self.0, value);
        self
    }

    /// JSON.
    pub(super) fn json(mut self, name: &str, value: &str) -> Self {
        self.begin(name);
        push_json(self.0, value);
        self
    }

    /// Nothing follows in it.
    pub(super) fn end(self) {
        self.0.push_str("}\n\n");
    }

    fn begin(&mut self, name: &str) {
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
    }
}
