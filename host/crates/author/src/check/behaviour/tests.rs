//! What is found in the behaviour of tools, told from how their calls end.

use tool::{Evidence, PluginStatus, ToolSpec, Traits, Usage, Verdict};

use super::*;

/// How a tool's calls end once nobody waits for them.
#[derive(Clone, Copy)]
enum Habit {
    /// At once.
    Listens,
    /// At the limit of its time.
    Loops,
    /// By itself, after much work.
    Works,
}

/// Ends calls as the sandbox does: by force as soon as somebody is gone, else as the tool would.
#[async_trait::async_trait]
impl Toolbox for Habit {
    fn tools(&self, _caller: &Caller) -> Vec<Arc<ToolSpec>> {
        Vec::new()
    }

    fn find(&self, _caller: &Caller, _tool: &ToolId) -> Option<Arc<ToolSpec>> {
        None
    }

    async fn check(&self, _caller: &Caller, _tool: &ToolId, _input: &str) -> Result<Verdict, End> {
        Err(End::UnknownTool)
    }

    fn evidence(&self, _caller: &Caller, _tool: &ToolId) -> Evidence {
        Evidence::default()
    }

    async fn call(&self, call: ToolCall) -> ToolReply {
        let sink = call.ports.sink;
        let own = if sink.cancelled() { self.left() } else { ToolReply::without_answer(End::Done) };
        tokio::select! {
            biased;
            () = sink.gone() => ToolReply::without_answer(End::Cancelled),
            own = std::future::ready(own) => own,
        }
    }

    async fn settled(&self) {}

    fn plugins(&self) -> Vec<PluginStatus> {
        Vec::new()
    }
}

impl Habit {
    fn left(self) -> ToolReply {
        let (end, cpu_us) = match self {
            Self::Listens => (End::Done, 10_000),
            Self::Loops => (End::Cpu(3_000), 3_000_000),
            Self::Works => (End::Done, 2_500_000),
        };
        let reply = ToolReply::without_answer(end);
        ToolReply { usage: Usage { cpu_us, ..reply.usage }, ..reply }
    }
}

async fn found(habit: Habit) -> Vec<Finding> {
    let caller = Caller { tenant: "default".into(), agent: "author".into() };
    let bench = Bench { toolbox: &habit, plugin: "it", caller, partition: "1".into() };
    let tool = Described {
        name: "act".into(),
        description: String::new(),
        input: r#"{"type":"object","additionalProperties":false}"#.into(),
        output: None,
        traits: Traits::default(),
        annotations: None,
    };
    behave(&bench, &[tool]).await.0
}

#[tokio::test]
async fn a_tool_that_goes_on_when_nobody_waits_is_told_and_one_that_ends_is_not() {
    for (habit, why) in [(Habit::Loops, "went on until it ended with"), (Habit::Works, "went on for 2500 ms of processor time")] {
        let found = found(habit).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].level == super::super::Level::Warning && found[0].what.contains(why), "{found:?}");
        assert!(found[0].fix.contains("feedback.cancelled"), "{found:?}");
    }
    assert_eq!(found(Habit::Listens).await, Vec::new());
}
