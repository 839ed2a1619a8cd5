//! Which agents an entry speaks for. One agent is not like the others: under
//! [`MCP_AGENT`] clients call tools directly, without a model in between, so
//! that it is served only where the operator wrote its name.

use crate::denied;
use crate::glob::{self, Glob};

/// The agent as which tools are called over MCP. An entry without `agents`, a
/// pattern and a grant that came with the server do not include it.
pub const MCP_AGENT: &str = "mcp";

/// The agents of an entry: those that match a pattern, or all where it names none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agents(Option<Vec<Glob>>);

impl Agents {
    pub(crate) fn new(patterns: Option<&[String]>) -> Self {
        Self(patterns.map(|patterns| patterns.iter().map(|text| Glob::new(text)).collect()))
    }

    /// Whether the entry speaks for this agent.
    pub(crate) fn include(&self, agent: &str) -> bool {
        if agent == MCP_AGENT {
            return self.0.iter().flatten().any(|pattern| pattern.is_literal() && pattern.text() == MCP_AGENT);
        }
        glob::any(self.0.as_deref(), agent)
    }

    /// The line of an entry that speaks for one more agent. Where it spoke for all, it still does.
    pub(crate) fn widened(&self, agent: &str) -> String {
        let all = [Glob::new("*")];
        let patterns = self.0.as_deref().unwrap_or(&all).iter().map(Glob::text).chain([agent]);
        format!("agents = [{}]", patterns.map(denied::text).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agents(patterns: &[&str]) -> Agents {
        let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
        Agents::new(Some(&patterns))
    }

    #[test]
    fn the_agent_of_mcp_is_included_by_its_name_alone() {
        assert!(!Agents::default().include(MCP_AGENT));
        for without in [&["*"][..], &["m*"], &["mc*p"], &["mcp*"], &["assistant"], &[]] {
            assert!(!agents(without).include(MCP_AGENT), "{without:?}");
        }
        assert!(agents(&["*", "mcp"]).include(MCP_AGENT));
        assert!(agents(&["mcp"]).include(MCP_AGENT) && !agents(&["mcp"]).include("assistant"));
    }

    #[test]
    fn other_agents_are_included_as_the_patterns_say() {
        assert!(Agents::default().include("assistant"));
        assert!(agents(&["*", "mcp"]).include("assistant") && agents(&["mcp*"]).include("mcp2"));
        assert!(!agents(&["support-*"]).include("sales"));
    }

    #[test]
    fn the_line_that_includes_one_more_leaves_out_nobody() {
        for before in [Agents::default(), agents(&["*"]), agents(&["support-*"]), agents(&[])] {
            let line: toml::Table = before.widened(MCP_AGENT).parse().unwrap();
            let patterns: Vec<String> = line["agents"].clone().try_into().unwrap();
            let after = Agents::new(Some(&patterns));
            assert!(after.include(MCP_AGENT), "{patterns:?}");
            for agent in ["assistant", "support-de"] {
                assert!(!before.include(agent) || after.include(agent), "{agent} {patterns:?}");
            }
        }
    }
}
