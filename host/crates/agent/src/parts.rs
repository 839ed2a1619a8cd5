//! The parts of a turn: from its beginning, or from where it went on, to where
//! it pauses or ends. Each answers one input; a repeat of that input joins the
//! part that runs, or gets it again from memory or from the journal.

use std::sync::Arc;

use session::{Entry, HowEnded, Kind, Millis, Seq, TurnNo};
use storage::IdempotencyKey;

use crate::error::Error;
use crate::hub::{Closing, Watcher};
use crate::live::Repeat;
use crate::task::{Asked, Task};
use crate::turn;

/// Entries that are read at once.
const PAGE: usize = 512;

impl Task {
    /// The answer to an input that was answered before, if this is one.
    pub(crate) fn repeated(&mut self, asked: &Asked, repeat: Option<Repeat>, stream: bool) -> Option<Result<Watcher, Error>> {
        if let Some(repeat) = repeat {
            let key = IdempotencyKey { tenant: self.session.tenant, digest: repeat.digest };
            return match self.engine.journal.idempotency(&key) {
                Err(error) => Some(Err(error.into())),
                Ok(None) => None,
                Ok(Some(known)) if known.body != asked.hash || known.session != self.session.uid => Some(Err(Error::KeyReused)),
                Ok(Some(known)) => Some(self.replay(known.turn, asked, stream)),
            };
        }
        turn::undelivered(self, asked).map(|past| Ok(past.watch(stream)))
    }

    /// What answered this input in a turn of the past, from the journal.
    fn replay(&self, turn: TurnNo, asked: &Asked, stream: bool) -> Result<Watcher, Error> {
        let from = self.state.starts.get(&turn).copied().ok_or(Error::Overloaded("turns that are kept for repeats"))?;
        let (shown, closing) = self.shown(turn, from, asked)?;
        let closing = closing.unwrap_or_else(|| Closing::Ended(HowEnded::Failed("the turn did not end".into())));
        Ok(crate::hub::past(shown, closing).watch(stream))
    }

    /// What a turn showed to those who posted this input, from the journal, and how that part of it closed, if it
    /// has. Looks at the turn's entries from `from` on.
    fn shown(&self, turn: TurnNo, mut from: Seq, asked: &Asked) -> Result<(Vec<Arc<Entry>>, Option<Closing>), Error> {
        let mut part = Part::of(asked);
        loop {
            let page = self.engine.journal.read(self.session.uid, from, PAGE)?;
            for entry in page.entries.iter().filter(|entry| entry.turn == turn) {
                let closing = part.take(entry).map_err(|e| Error::Damaged(self.session.uid, e.to_string()))?;
                if closing.is_some() {
                    return Ok((part.shown, closing));
                }
            }
            match page.entries.last() {
                Some(last) if page.more => from = last.seq.next(),
                _ if part.theirs => return Ok((part.shown, None)),
                _ => return Ok((Vec::new(), None)),
            }
        }
    }

    /// What the turn that is taken up had shown and for whom, so that a repeat of
    /// its input joins it and sees the whole.
    pub(crate) fn remember(&mut self) {
        let Some((turn, from, asked)) = self.open_part() else { return };
        match self.shown(turn, from, &asked) {
            Ok((shown, _)) => self.desk.hub.preface(shown),
            Err(error) => tracing::warn!(session.uid = %self.session.uid, %error, "the beginning of an unfinished turn could not be read"),
        }
        self.desk.asked = Some(asked);
    }

    /// What the turn that pauses since `at` had shown and for whom, so that a repeat of
    /// its input gets that answer.
    pub(crate) fn remember_pause(&mut self, at: Millis) {
        let Some((turn, from, asked)) = self.open_part() else { return };
        match self.shown(turn, from, &asked) {
            Ok((shown, _)) => self.desk.past = Some((asked, crate::hub::past(shown, Closing::Paused), at)),
            Err(error) => tracing::warn!(session.uid = %self.session.uid, %error, "the beginning of a paused turn could not be read"),
        }
    }

    /// Which turn is not over, from where on its last part goes, and whose input that answers.
    fn open_part(&self) -> Option<(TurnNo, Seq, Asked)> {
        let turn = self.state.turn.as_ref()?;
        Some((turn.no, turn.part, Asked::of(turn.asker.as_ref()?)?))
    }
}

/// The part of a turn that answers one input, as it is read entry by entry.
struct Part<'a> {
    asked: &'a Asked,
    shown: Vec<Arc<Entry>>,
    /// Whether it is theirs that is being read.
    theirs: bool,
}

impl<'a> Part<'a> {
    fn of(asked: &'a Asked) -> Self {
        Self { asked, shown: Vec::new(), theirs: false }
    }

    /// Takes one more entry of the turn; answers how the part closed, with its last.
    fn take(&mut self, entry: &Entry) -> serde_json::Result<Option<Closing>> {
        if entry.audience() != session::Audience::Internal {
            self.shown.push(Arc::new(entry.clone()));
            return Ok(None);
        }
        match entry.kind {
            // The message stands in front of the mark that says whose it is.
            Kind::Began => {
                let began: session::Began = serde_json::from_str(&entry.body)?;
                self.theirs = began.input_hash == self.asked.asker().input_hash;
            }
            Kind::Resumed => {
                let resumed: session::Resumed = serde_json::from_str(&entry.body)?;
                self.theirs = resumed.asker.is_some_and(|asker| asker == self.asked.asker());
            }
            Kind::Paused => return Ok(self.close(Closing::Paused)),
            Kind::Ended => {
                let ended: session::Ended = serde_json::from_str(&entry.body)?;
                return Ok(self.close(Closing::Ended(ended.how)));
            }
            Kind::Reply | Kind::Receipt | Kind::Waiting | Kind::Resolved | Kind::Corrected | Kind::Overflowed | Kind::Tombstone => {}
            Kind::InputMessage | Kind::Thinking | Kind::ToolInput | Kind::ToolOutput | Kind::AgentOutput | Kind::StructuredOutput => {}
            Kind::Compaction | Kind::ClientToolPending | Kind::ContextLimitExceeded | Kind::SessionInterrupted => {}
        }
        Ok(None)
    }

    fn close(&mut self, closing: Closing) -> Option<Closing> {
        if !self.theirs {
            self.shown.clear();
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
        (part.shown.iter().map(|entry| entry.kind.word()).collect(), closing)
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
