//! Running a tool: who may, which tools, and whether a person has to agree.

use crate::denied::{Denied, Layer};
use crate::glob;
use crate::grant::{Approve, Approver, Grant};

/// Leave to run a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPermit {
    /// Which calls need a person.
    pub approve: Approve,
    /// Which person.
    pub approver: Approver,
    /// The line that allowed it.
    pub rule: String,
}

impl CallPermit {
    /// Whether a person has to agree first. `destructive` says that the tool's
    /// effective traits promise neither `read-only` nor `additive`.
    pub fn needs_approval(&self, destructive: bool) -> bool {
        match self.approve {
            Approve::Never => false,
            Approve::Destructive => destructive,
            Approve::Always => true,
        }
    }
}

pub(crate) fn decide(grant: &Grant, tool: &str) -> Result<CallPermit, Denied> {
    if !glob::any(grant.tools.as_deref(), tool) {
        return Err(grant.denied(Layer::Tool, format!("tool {tool}"), grant.widened(grant.tools.as_deref(), "tools", tool)));
    }
    let (approve, approver) = grant.approval(tool);
    Ok(CallPermit { approve, approver, rule: grant.table() })
}
