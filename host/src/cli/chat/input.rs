//! What the user types: a line at a time, from a terminal or from a pipe.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// What came of waiting for a line.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Line {
    /// A message.
    Text(String),
    /// No more messages.
    End,
}

/// Where messages come from.
pub(in crate::cli) struct Input {
    lines: mpsc::Receiver<String>,
    /// Whether somebody may be there to answer a question.
    person: bool,
}

impl Input {
    /// One message.
    pub(in crate::cli) fn one(message: String) -> Self {
        let (lines, input) = mpsc::channel(1);
        // There is room for one.
        let _ = lines.try_send(message);
        Self { lines: input, person: false }
    }

    /// Standard input. Its thread waits in the system for as long as nobody
    /// types; the end of the process ends it.
    pub(in crate::cli) fn of_terminal() -> Self {
        let (lines, input) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                let Ok(line) = line else { return };
                if lines.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { lines: input, person: true }
    }

    /// Whether somebody may be there to answer a question: not where one message was given and that is all.
    pub(in crate::cli) fn of_person(&self) -> bool {
        self.person
    }

    /// The next message, whatever else is waited for.
    pub(in crate::cli) async fn line(&mut self) -> Line {
        self.lines.recv().await.map_or(Line::End, Line::Text)
    }

    /// The next message. Ctrl-C ends the conversation.
    pub(in crate::cli) async fn next(&mut self, interrupts: &mut Interrupts) -> Line {
        tokio::select! {
            line = self.line() => line,
            () = interrupts.pressed() => Line::End,
        }
    }
}

/// Ctrl-C. One listener for the whole conversation, so that none is lost while something else is done.
pub(in crate::cli) struct Interrupts(Signal);

impl Interrupts {
    /// From now on Ctrl-C does not end the process.
    pub(in crate::cli) fn listen() -> std::io::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt())?))
    }

    /// Waits for the next one.
    pub(in crate::cli) async fn pressed(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}
