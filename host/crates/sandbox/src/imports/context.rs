//! `context`: what is known about the running call.

use tool::tape::Clock;

use crate::bindings::wardian::plugin::context::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.reach.as_ref().map(|reach| reach.context.call.clone()).unwrap_or_default())
    }

    fn session(&mut self) -> wasmtime::Result<String> {
        Ok(self.reach.as_ref().map(|reach| reach.context.session.to_string()).unwrap_or_default())
    }

    fn agent(&mut self) -> wasmtime::Result<String> {
        Ok(self.reach.as_ref().map(|reach| reach.context.caller.agent.to_string()).unwrap_or_default())
    }

    fn user(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.reach.as_ref().and_then(|reach| reach.context.user.clone()))
    }

    fn time_left(&mut self) -> wasmtime::Result<u64> {
        let left = u64::try_from(self.remaining().as_millis()).unwrap_or(u64::MAX);
        Ok(self.reach.as_ref().map_or(0, |reach| match &reach.ports.tape {
            Some(tape) => tape.reading(Clock::TimeLeft, left),
            None => left,
        }))
    }

    fn trace(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.reach.as_ref().and_then(|reach| reach.context.trace.clone()))
    }
}
