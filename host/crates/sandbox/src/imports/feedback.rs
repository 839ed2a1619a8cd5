//! `feedback`: what a tool says while it runs.

use crate::bindings::wardian::plugin::feedback::Host;
use crate::bindings::wardian::plugin::types;
use crate::guest::{Cause, Guest, part_bytes};
use crate::outcome::content;

/// The note of a progress sign.
const NOTE_CHARS_MAX: usize = 200;

impl Host for Guest {
    fn progress(&mut self, share: Option<f32>, note: String) -> wasmtime::Result<()> {
        if let Some(reach) = &self.reach {
            let share = share.filter(|share| share.is_finite()).map(|share| share.clamp(0.0, 1.0));
            let note: String = note.chars().filter(|c| !c.is_control()).take(NOTE_CHARS_MAX).collect();
            reach.ports.sink.progress(share, &note);
        }
        Ok(())
    }

    fn emit(&mut self, part: types::Content) -> wasmtime::Result<()> {
        let part = content(part);
        self.emitted_bytes = self.emitted_bytes.saturating_add(part_bytes(&part));
        if self.emitted_bytes > self.limits.output_bytes {
            return Err(self.end(Cause::Output));
        }
        self.emitted.push(part);
        Ok(())
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.reach.as_ref().is_some_and(|reach| reach.ports.sink.cancelled()))
    }
}
