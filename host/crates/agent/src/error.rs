//! What can go wrong for a caller of the engine. The front doors give each its status.

use session::Uid;

/// A thing that clients name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// An agent.
    Agent,
    /// A session.
    Session,
    /// An event.
    Event,
    /// A tool.
    Tool,
}

/// Why the engine did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it is another tenant's: the two look alike.
    #[error("{what:?} `{name}` does not exist")]
    NotFound {
        /// What was looked for.
        what: Thing,
        /// Under which name.
        name: String,
    },
    /// The key or the name is in use.
    #[error("{what:?} `{name}` exists already")]
    Taken {
        /// Of what.
        what: Thing,
        /// Which name or key.
        name: String,
    },
    /// Somebody else changed it at the same time.
    #[error("it was changed by somebody else at the same time; read it again and repeat the change")]
    Conflict,
    /// A turn runs in the session.
    #[error("a turn is running in session `{0}`; wait for its end, interrupt it, or queue the input")]
    Busy(String),
    /// As many inputs wait in the session as may.
    #[error("{1} inputs wait in session `{0}` already; post again when a turn has ended")]
    InboxFull(String, usize),
    /// What an answer is to begin after is no event of the session, or lies too far back.
    #[error("{0}")]
    NotSince(String),
    /// There is no turn to interrupt.
    #[error("nothing to interrupt, session is not running")]
    Idle,
    /// The agent or the session takes no input.
    #[error("{0:?} `{1}` is disabled; enable it before posting input")]
    Disabled(Thing, String),
    /// The agent names a model that the server does not have.
    #[error("the model `{0}` is not configured on this server; configured are: {1}")]
    UnknownModel(String, String),
    /// An argument that the agent sets itself leads nowhere.
    #[error("the argument `{argument}` of the tool `{configuration}` is set by the agent to `{reference}`, and nothing is there")]
    Unresolved {
        /// The name under which the agent binds the tool.
        configuration: String,
        /// The key in `argument_override`.
        argument: String,
        /// The path.
        reference: String,
    },
    /// What the agent sets is not what a person agreed to.
    #[error("what the agent sets of the arguments of `{configuration}` was changed after this call was approved; ask for it again")]
    Changed {
        /// The name under which the agent binds the tool.
        configuration: String,
    },
    /// The parts of an input do not go together.
    #[error("{0}")]
    WrongInput(String),
    /// A tool that an input declares cannot be declared.
    #[error("the tool `{name}` cannot be declared: {why}")]
    WrongTool {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// What an input brings of the past cannot have been.
    #[error("item {at} of what was said before cannot be taken: {why}")]
    WrongPast {
        /// Which item, from 0.
        at: usize,
        /// What is wrong with it.
        why: String,
    },
    /// An instruction of the agent cannot be rendered.
    #[error("the agent's instruction `{instruction}` cannot be rendered: {why}")]
    Template {
        /// Its name.
        instruction: String,
        /// What is wrong.
        why: String,
    },
    /// The same idempotency key came with another body before.
    #[error("this idempotency key was used before with another body; use a new key for a new input")]
    KeyReused,
    /// The call is none that waits any more.
    #[error("the call of event `{event}` is settled already: {how}")]
    Decided {
        /// The event.
        event: String,
        /// What became of it.
        how: &'static str,
    },
    /// The call never waited.
    #[error("nobody was asked about the call of event `{0}`; GET …/outstanding_approvals lists those that wait")]
    NotAsked(String),
    /// The call waits for somebody else.
    #[error("the call of event `{0}` waits for the operator; approve it with an owner key or with `wardian approvals approve {0}`")]
    ForOperator(String),
    /// What somebody put in the place of a call's arguments cannot be its arguments.
    #[error("the call of event `{event}` cannot run with these arguments, and waits on: {why}")]
    WrongEdit {
        /// The event.
        event: String,
        /// What is wrong with them.
        why: String,
    },
    /// Events stay as they are while a turn runs.
    #[error("the events of session `{0}` cannot be changed while a turn runs; wait for its end, or interrupt it")]
    EditWhileRunning(String),
    /// The event's turn waits.
    #[error("event `{0}` belongs to a turn that is not over; answer what it waits for, or interrupt it")]
    OpenTurn(String),
    /// The event is the summary that stands for what was before it.
    #[error("event `{0}` is the summary that the model is shown in the place of what was before; make a newer one first")]
    InForce(String),
    /// Too many places in the session where something hidden begins.
    #[error("at most {0} separate runs of events of one session can be hidden; hide what lies between them too, or delete or compact")]
    TooManyHidden(usize),
    /// A summary would be made of nothing.
    #[error("there is nothing to compact: the model is shown nothing older than what is to stay")]
    NothingToCompact,
    /// The model made no summary.
    #[error("{0}")]
    NoSummary(String),
    /// The model did not answer what it was asked beside all sessions.
    #[error("{0}; try again in a moment")]
    NotAnswered(&'static str),
    /// An event from which, or up to which, no session can be made.
    #[error("event `{event}` cannot be the last one of a copy: {why}")]
    NoFork {
        /// The event.
        event: String,
        /// Why not.
        why: &'static str,
    },
    /// The past is too long to be copied in one go.
    #[error("more than {0} entries would be copied; copy up to an earlier event, or compact up to a later one")]
    TooLong(usize),
    /// The call never waited for the client to run it.
    #[error("the call of event `{0}` is none that the client is to run; GET …/outstanding_client_tool_calls lists those that wait")]
    NotPending(String),
    /// What the client says came of a call cannot come of it.
    #[error("the output for the call of event `{event}` does not fit the tool's `output_schema`, and the call waits on: {why}")]
    WrongOutput {
        /// The event.
        event: String,
        /// What is wrong with it.
        why: String,
    },
    /// The agent cannot bind the client tool.
    #[error("client tool `{tool}` {why}")]
    NotBindable {
        /// Under which name it was to be bound.
        configuration: String,
        /// The tool's id.
        tool: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Agents bind the tool.
    #[error("tool `{tool}` is bound by the agents {}{}; take it out of them first", agents.join(", "), if *more { " and more" } else { "" })]
    ToolInUse {
        /// The tool's id.
        tool: String,
        /// The keys of the agents, oldest first.
        agents: Vec<String>,
        /// Whether there are more than these.
        more: bool,
    },
    /// Too much is going on.
    #[error("the server is at its limit of {0}; try again later")]
    Overloaded(&'static str),
    /// The session's task ended before it took the input.
    #[error("session `{0}` did not take the input; try again in a moment")]
    NotTaken(String),
    /// The server is about to stop.
    #[error("the server is shutting down; try again in a moment")]
    Draining,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] storage::Error),
    /// A record that cannot be read.
    #[error("the record of {0} cannot be read: {1}")]
    Damaged(Uid, String),
}
