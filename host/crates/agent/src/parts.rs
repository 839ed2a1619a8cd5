//! The parts of a turn: from its beginning, or from where it went on, to where
//! it pauses or ends. Each answers one input; a repeat of that input joins the
//! part that runs, or gets it again from memory or from the journal.

use std::sync::Arc;

use session::{Entry, Kind, Millis, Seq, TurnNo};

use crate::error::Error;
use crate::repeats::{Asked, Taken};
use crate::tail::Tail;
use crate::task::Task;
use crate::watcher::{Closing, Shown};

/// Entries that are read at once.
const PAGE: usize = 512;

impl Tail {
    /// What a turn showed to those who posted this input, and how that part of it closed, if it has.
    pub(crate) fn shown(&self, turn: TurnNo, asked: &Asked) -> Result<(Shown, Option<Closing>), Error> {
        let mut part = Part::of(asked);
        let closing = self.find_in(turn, |entry| part.take(entry))?;
        if closing.is_none() && !part.theirs {
            part.shown = Shown::default();
        }
        Ok((part.shown, closing))
    }

    /// Where a turn ended, and how; or how far it came, where it pauses.
    pub(crate) fn end_of(&self, turn: TurnNo) -> Result<(Seq, Closing), Error> {
        let mut last = Seq(0);
        let closing = self.find_in(turn, |entry| {
            last = entry.seq;
            ended(entry)
        })?;
        Ok((last, closing.unwrap_or(Closing::Paused)))
    }

    /// What the first entry of a turn is for which there is something.
    fn find_in<T>(&self, turn: TurnNo, mut what: impl FnMut(&Entry) -> serde_json::Result<Option<T>>) -> Result<Option<T>, Error> {
        let mut from = self.start_of(turn)?;
        loop {
            let page = self.journal.read(self.session, from, PAGE)?;
            for entry in &page.entries {
                if entry.turn != turn {
                    return Ok(None);
                }
                let found = what(entry).map_err(|e| Error::Damaged(self.session, e.to_string()))?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            match page.entries.last() {
                Some(last) if page.more => from = last.seq.next(),
                _ => return Ok(None),
            }
        }
    }
}

impl Task {
    /// What the turn that is taken up had shown and for whom, so that a repeat of
    /// its inputs joins it and sees the whole.
    pub(crate) fn remember(&mut self) {
        let Some((turn, taken)) = self.open_part() else { return };
        if let Some(first) = taken.first() {
            match self.desk.tail.shown(turn, &first.asked) {
                Ok((shown, _)) => self.desk.hub.preface(shown),
                Err(error) => {
                    tracing::warn!(session.uid = %self.session.uid, %error, "the beginning of an unfinished turn could not be read");
                }
            }
        }
        self.desk.take_on(turn, taken);
    }

    /// For whom the turn that pauses since `at` had shown something, so that a repeat of
    /// such an input gets that answer.
    pub(crate) fn remember_pause(&mut self, at: Millis) {
        let Some((turn, taken)) = self.open_part() else { return };
        self.desk.remember(turn, taken, Vec::new(), &Closing::Paused, at);
    }

    /// Which turn is not over, and whose inputs its last part answers.
    fn open_part(&self) -> Option<(TurnNo, Vec<Taken>)> {
        let turn = self.state.turn.as_ref()?;
        let askers = turn.asker.iter().chain(&turn.steered);
        Some((turn.no, askers.filter_map(|asker| Some(Taken { asked: Asked::of(asker)?, repeat: None })).collect()))
    }
}

/// How the turn ended, if this is the mark that says so.
fn ended(entry: &Entry) -> serde_json::Result<Option<Closing>> {
    if entry.kind != Kind::Ended {
        return Ok(None);
    }
    let ended: session::Ended = serde_json::from_str(&entry.body)?;
    Ok(Some(Closing::Ended(ended.how)))
}

/// The part of a turn that answers one input, as it is read entry by entry.
struct Part<'a> {
    asked: &'a Asked,
    shown: Shown,
    /// Whether it is theirs that is being read.
    theirs: bool,
}

impl<'a> Part<'a> {
    fn of(asked: &'a Asked) -> Self {
        Self { asked, shown: Shown::default(), theirs: false }
    }

    /// Takes one more entry of the turn; answers how the part closed, with its last.
    fn take(&mut self, entry: &Entry) -> serde_json::Result<Option<Closing>> {
        if entry.audience() != session::Audience::Internal {
            self.shown.entries.push(Arc::new(entry.clone()));
            return Ok(None);
        }
        match entry.kind {
            // The message stands in front of the mark that says whose it is; what else does is what its client brought.
            Kind::Began => {
                self.shown.entries.retain(|entry| entry.kind == Kind::InputMessage);
                let began: session::Began = serde_json::from_str(&entry.body)?;
                self.theirs = began.input_hash == self.asked.asker().input_hash;
            }
            Kind::Resumed => {
                let resumed: session::Resumed = serde_json::from_str(&entry.body)?;
                self.theirs = resumed.asker.is_some_and(|asker| asker == self.asked.asker());
            }
            Kind::Paused => return Ok(self.close(Closing::Paused)),
            Kind::Ended => return Ok(ended(entry)?.and_then(|closing| self.close(closing))),
            Kind::Waiting => self.shown.waits(&serde_json::from_str(&entry.body)?),
            Kind::Reply | Kind::Receipt | Kind::Resolved | Kind::Corrected | Kind::Overflowed => {}
            Kind::Steered | Kind::Tombstone => {}
            Kind::InputMessage | Kind::Thinking | Kind::ToolInput | Kind::ToolOutput | Kind::AgentOutput | Kind::StructuredOutput => {}
            Kind::Compaction | Kind::ClientToolPending | Kind::ContextLimitExceeded | Kind::SessionInterrupted => {}
        }
        Ok(None)
    }

    fn close(&mut self, closing: Closing) -> Option<Closing> {
        if !self.theirs {
            self.shown = Shown::default();
        }
        self.theirs.then_some(closing)
    }
}

#[cfg(test)]
mod tests {
    use session::{Asker, Paused, Resumed, Uid};

    use super::*;

    const FIRST: [u8; 32] = [1; 32];
    const SECOND: [u8; 32] = [2; 32];

    fn asked(hash: [u8; 32]) -> Asked {
        Asked { key: Uid([7; 16]), subject: None, hash }
    }

    fn began() -> String {
        let Asker { key, input_hash, .. } = asked(FIRST).asker();
        format!(
            r#"{{"agent_revision":1,"model":"m","tools":{{}},"key":"{key}","subject":null,"input_hash":"{input_hash}","system_hash":""}}"#
        )
    }

    fn resumed(asker: Option<Asker>) -> String {
        serde_json::to_string(&Resumed { asker }).unwrap()
    }

    /// A turn that pauses twice: a decision of the second input goes on after the first pause, time after the other.
    fn story() -> Vec<Entry> {
        let paused = serde_json::to_string(&Paused { calls: Vec::new() }).unwrap();
        let ended = r#"{"how":{"as":"answered"},"began_at":1}"#.to_owned();
        let lines = [
            (Kind::InputMessage, "{}".to_owned()),
            (Kind::Began, began()),
            (Kind::ToolInput, "{}".to_owned()),
            (Kind::Paused, paused.clone()),
            (Kind::Resumed, resumed(Some(asked(SECOND).asker()))),
            (Kind::ToolOutput, "{}".to_owned()),
            (Kind::Paused, paused),
            (Kind::Resumed, resumed(None)),
            (Kind::ToolOutput, "{}".to_owned()),
            (Kind::AgentOutput, "{}".to_owned()),
            (Kind::Ended, ended),
        ];
        let entry = |(at, (kind, body)): (u64, (Kind, String))| Entry {
            seq: Seq(at),
            at: Millis(1),
            turn: TurnNo(1),
            step: 1,
            kind,
            body: body.into(),
        };
        (1..).zip(lines).map(entry).collect()
    }

    fn read(hash: [u8; 32]) -> (Vec<&'static str>, Option<Closing>) {
        let asked = asked(hash);
        let mut part = Part::of(&asked);
        let closing = story().iter().find_map(|entry| part.take(entry).unwrap());
        (part.shown.entries.iter().map(|entry| entry.kind.word()).collect(), closing)
    }

    #[test]
    fn an_input_is_answered_by_its_own_part_of_the_turn() {
        assert_eq!(read(FIRST), (vec!["input_message", "tool_input"], Some(Closing::Paused)));
        assert_eq!(read(SECOND), (vec!["tool_output"], Some(Closing::Paused)));
    }

    #[test]
    fn what_went_on_by_itself_answers_nobody() {
        assert_eq!(read([3; 32]), (Vec::new(), None));
    }
}
