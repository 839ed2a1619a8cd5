//! `wardian chat`: a conversation with an agent from the terminal, by the same
//! API that every client uses.

mod answer;
mod approve;
mod input;
mod view;

use std::future::pending;
use std::pin::Pin;

use anyhow::Context;
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::access::{Access, Missing, refusal, whole};
use super::agents::encoded;
use super::approvals::{Page, page};
use super::frames::Frames;
use crate::config::Settings;
pub(super) use input::{Input, Interrupts, Line};
pub(super) use view::{View, shown};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ctrl-C interrupts the running turn; pressed again, or with no turn running, it ends the chat.
Without a terminal each line of standard input is one message:
  echo 'How long is the warranty?' | wardian chat agt_customer_support")]
pub(super) struct Args {
    /// The agent's key
    agent: String,
    /// Go on in this session; it is opened if it does not exist
    #[arg(long, short, value_name = "KEY")]
    session: Option<String>,
    /// Say this, show the answer, and exit
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<()> {
    let server = Access::reach_or(&settings, Missing::Make).await?;
    server.plugins_ready().await;
    let done = chat(&server, args).await;
    server.close().await;
    done
}

/// How a turn came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It ran to its end, or waits.
    Answered,
    /// It was refused or failed; that was shown.
    Failed,
    /// The user wants to leave.
    Left,
}

async fn chat(server: &Access, args: Args) -> anyhow::Result<()> {
    let talk = Talk::open(server, &args.agent, args.session.as_deref()).await?;
    let (mut view, mut interrupts) = (View::new(), Interrupts::listen()?);
    let mut input = match args.message {
        Some(message) => Input::one(message),
        None => Input::of_terminal(),
    };
    view.hello(&args.agent, &talk.session);
    // A session may have been left while it waited.
    let mut ended = talk.settle(Ended::Answered, &mut view, &mut input, &mut interrupts).await?;
    let mut failed = false;
    while ended != Ended::Left {
        failed |= ended == Ended::Failed;
        view.prompt();
        let text = match input.next(&mut interrupts).await {
            Line::Text(text) if text.trim().is_empty() => continue,
            Line::Text(text) => text,
            Line::End => break,
        };
        ended = talk.say(&text, &mut view, &mut interrupts).await?;
        ended = talk.settle(ended, &mut view, &mut input, &mut interrupts).await?;
    }
    failed |= ended == Ended::Failed;
    view.goodbye(&args.agent, &talk.session);
    anyhow::ensure!(!failed, "a turn failed; what was said is kept in session {}", talk.session);
    Ok(())
}

/// A request that is on its way.
type Wish<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// One session.
pub(super) struct Talk<'a> {
    server: &'a Access,
    events: String,
    approvals: String,
    calls: String,
    session: String,
}

impl<'a> Talk<'a> {
    /// The session of this name, or a new one.
    pub(super) async fn open(server: &'a Access, agent: &str, wanted: Option<&str>) -> anyhow::Result<Self> {
        let sessions = format!("/v2/agents/{}/sessions", encoded(agent));
        let known = match wanted {
            Some(key) => server.ask(Method::GET, &format!("{sessions}/{}", encoded(key)), None).await?.status().is_success(),
            None => false,
        };
        let session = match (wanted, known) {
            (Some(key), true) => key.to_owned(),
            (wanted, _) => {
                let body = wanted.map_or_else(|| json!({}), |key| json!({ "key": key }));
                let made = server.json(Method::POST, &sessions, Some(&body)).await?;
                made["key"].as_str().unwrap_or_default().to_owned()
            }
        };
        let path = format!("{sessions}/{}", encoded(&session));
        Ok(Self {
            server,
            events: format!("{path}/events"),
            approvals: format!("{path}/outstanding_approvals"),
            calls: format!("{path}/outstanding_client_tool_calls"),
            session,
        })
    }

    /// As long as calls wait for approval, or for the client that runs them: asks the person at the keyboard, and shows
    /// what comes of it. Where nobody can be asked it says how to answer, and leaves the turn as it is.
    pub(super) async fn settle(
        &self,
        mut ended: Ended,
        view: &mut View,
        input: &mut Input,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Ended> {
        while ended != Ended::Left {
            let waiting: Page = page(self.server, &self.approvals).await?;
            let calls = answer::waiting(self.server, &self.calls).await?;
            if waiting.approvals.is_empty() && calls.is_empty() {
                return Ok(ended);
            }
            let person = view.asks() && input.of_person();
            let answer = match person {
                true if waiting.approvals.is_empty() => answer::ask(&calls, view, input, interrupts).await,
                true => approve::ask(&waiting, view, input, interrupts).await?,
                false => None,
            };
            match answer {
                Some(answer) => ended = self.turn(&answer, view, interrupts).await?,
                None => {
                    approve::tell(&waiting, view)?;
                    answer::tell(&calls, &self.events, view);
                    return Ok(if person { Ended::Left } else { ended });
                }
            }
        }
        Ok(ended)
    }

    /// Says something and shows what comes of it, up to the end of the turn or to where it waits.
    pub(super) async fn say(&self, text: &str, view: &mut View, interrupts: &mut Interrupts) -> anyhow::Result<Ended> {
        let message = json!({ "type": "input_message", "messages": [{ "type": "text", "content": text }], "stream_response": true });
        self.turn(&message, view, interrupts).await
    }

    /// Posts an input and shows what comes of it. Ctrl-C asks for the turn's end, and pressed again leaves.
    async fn turn(&self, input: &Value, view: &mut View, interrupts: &mut Interrupts) -> anyhow::Result<Ended> {
        let answer = self.server.ask(Method::POST, &self.events, Some(input)).await?;
        if !answer.status().is_success() {
            let status = answer.status();
            view.failure(&refusal(status, &whole(answer).await?).to_string());
            return Ok(Ended::Failed);
        }
        let (mut body, mut frames) = (answer.into_body(), Frames::default());
        let mut ended = Ended::Answered;
        // The wish to interrupt, until it is answered: the stream goes on meanwhile, and so does the keyboard.
        let mut wish: Option<Wish<'_>> = None;
        let mut pressed = false;
        loop {
            tokio::select! {
                piece = body.frame() => {
                    let Some(piece) = piece else { break };
                    let Ok(bytes) = piece.map_err(|error| anyhow::anyhow!("the stream broke off: {error}"))?.into_data() else { continue };
                    for data in frames.push(&bytes)? {
                        let event: Value = serde_json::from_str(&data).context("a frame of the stream is not JSON")?;
                        if event["type"] == "error" {
                            ended = Ended::Failed;
                        }
                        view.event(&event);
                    }
                }
                () = interrupts.pressed() => {
                    if pressed {
                        return Ok(Ended::Left);
                    }
                    pressed = true;
                    view.note("interrupting; press Ctrl-C again to leave");
                    wish = Some(Box::pin(self.interrupt()));
                }
                answered = async { match wish.as_mut() { Some(wish) => wish.await, None => pending().await } } => {
                    wish = None;
                    if let Err(error) = answered {
                        view.note(&format!("{error:#}"));
                    }
                }
            }
        }
        view.turn_ended();
        Ok(ended)
    }

    /// Asks for the end of the running turn; the answer comes when it has ended.
    async fn interrupt(&self) -> anyhow::Result<()> {
        self.server.json(Method::POST, &self.events, Some(&json!({ "type": "interrupt" }))).await.map(drop)
    }
}
