//! Who may do what through the API: one pure function.

use serde::{Deserialize, Serialize};

/// What a key may do, as the Agents API names it; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Creates sessions, posts events, reads its own sessions, lists agents.
    AgentUser,
    /// All reads.
    AgentViewer,
    /// Changes agents and sessions, makes and changes tools that clients run.
    AgentDeveloper,
    /// Creates, replaces and deletes agents; deletes events.
    AgentAdministrator,
    /// The server's operator.
    Owner,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See the list of agents.
    ListAgents,
    /// See one agent's definition.
    ReadAgent,
    /// Change an agent's definition.
    UpdateAgent,
    /// Create, replace or delete an agent.
    AdministerAgents,
    /// Open a session.
    CreateSession,
    /// See the list of sessions.
    ListSessions,
    /// See one session.
    ReadSession,
    /// Change or delete a session.
    UpdateSession,
    /// Post input.
    PostEvent,
    /// See one event or the list of them.
    ReadEvents,
    /// Hide an event, or show it again.
    HideEvents,
    /// Erase an event.
    DeleteEvents,
    /// See tools and models.
    ReadTools,
    /// Make, change or delete tools that clients run.
    UpdateTools,
    /// Metrics, keys, plugins: the server itself.
    Operate,
}

impl Role {
    /// The lowest role that an action needs.
    pub fn needed(action: Action) -> Self {
        match action {
            Action::ListAgents | Action::CreateSession | Action::ReadSession | Action::PostEvent => Self::AgentUser,
            Action::ReadAgent | Action::ListSessions | Action::ReadEvents | Action::ReadTools => Self::AgentViewer,
            Action::UpdateAgent | Action::UpdateSession | Action::UpdateTools | Action::HideEvents => Self::AgentDeveloper,
            Action::AdministerAgents | Action::DeleteEvents => Self::AgentAdministrator,
            Action::Operate => Self::Owner,
        }
    }

    /// The name that the API and the command line use.
    pub fn word(self) -> &'static str {
        match self {
            Self::AgentUser => "agent_user",
            Self::AgentViewer => "agent_viewer",
            Self::AgentDeveloper => "agent_developer",
            Self::AgentAdministrator => "agent_administrator",
            Self::Owner => "owner",
        }
    }

    /// The role of a name.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::AgentUser, Self::AgentViewer, Self::AgentDeveloper, Self::AgentAdministrator, Self::Owner]
            .into_iter()
            .find(|role| role.word() == word)
    }
}

/// Whether a role allows an action, on a resource that is the caller's `own` or
/// not. An `agent_user` reaches only sessions that it opened.
pub fn may(role: Role, action: Action, own: bool) -> bool {
    let only_own = matches!(action, Action::ReadSession | Action::PostEvent);
    role >= Role::needed(action) && (own || !only_own || role > Role::AgentUser)
}
