//! Ids of calls, unlike one another in all that a conversation holds. Providers promise that within one reply at most;
//! clients answer a call by its id alone, perhaps long after. What a summary has replaced is not looked at: nothing of it
//! can be answered any more.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::transcript::Transcript;

/// The ids of one reply's calls. Made anew for each reply, and kept from its first piece to its last: the same id as given
/// always becomes the same one.
#[derive(Debug)]
pub struct CallIds<'a> {
    transcript: &'a Transcript,
    /// What was chosen, for this reply and for those before it that the conversation does not hold yet.
    taken: HashSet<Arc<str>>,
    chosen: HashMap<Arc<str>, Arc<str>>,
}

impl<'a> CallIds<'a> {
    /// For the reply that comes next in this conversation.
    pub fn new(transcript: &'a Transcript) -> Self {
        Self { transcript, taken: HashSet::new(), chosen: HashMap::new() }
    }

    /// The id of the call that was given this one: the same where no call of the conversation has it, or with a number behind it.
    pub fn unique(&mut self, given: &Arc<str>) -> Arc<str> {
        if let Some(chosen) = self.chosen.get(given) {
            return chosen.clone();
        }
        let held = self.transcript.calls();
        let mut id = given.clone();
        // So many ids are taken, so one of as many numbers and one more is free, as a rule the first.
        let mut number = held.len() + self.taken.len() + 1;
        while held.contains(&id) || !self.taken.insert(id.clone()) {
            id = format!("{given}_{number}").into();
            number += 1;
        }
        self.chosen.insert(given.clone(), id.clone());
        id
    }

    /// Goes on with the reply after this one, before the conversation holds this one.
    pub fn next_reply(&mut self) {
        self.chosen.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Seq;
    use crate::transcript::{AskedCall, ItemBody, Place};

    fn ids(of: &[&str]) -> Vec<AskedCall> {
        of.iter().map(|id| AskedCall { id: (*id).into(), name: "t".into(), arguments: "{}".into() }).collect()
    }

    #[test]
    fn an_id_that_the_conversation_holds_gets_a_number_and_keeps_it_through_the_reply() {
        let mut transcript = Transcript::default();
        let body = ItemBody::Assistant { thinking: String::new(), text: String::new(), calls: ids(&["a", "a_3"]), raw: None };
        transcript.push(Place::Reply(Seq(1)), body);
        let mut ids = CallIds::new(&transcript);
        assert_eq!(&*ids.unique(&"b".into()), "b");
        let second = ids.unique(&"a".into());
        assert!(second.starts_with("a_") && &*second != "a_3", "{second}");
        assert_eq!(ids.unique(&"a".into()), second, "asked again in the same reply");
        ids.next_reply();
        assert_ne!(ids.unique(&"a".into()), second);
        assert_ne!(&*ids.unique(&"b".into()), "b");
    }

    #[test]
    fn an_id_that_a_summary_replaced_is_free_again() {
        let mut transcript = Transcript::default();
        let call = |ids: &[AskedCall]| ItemBody::Assistant { thinking: String::new(), text: String::new(), calls: ids.to_vec(), raw: None };
        transcript.push(Place::Reply(Seq(1)), call(&ids(&["a"])));
        transcript.push(Place::Reply(Seq(2)), call(&ids(&["b"])));
        transcript.compact(Seq(1), "short");
        let mut ids = CallIds::new(&transcript);
        assert_eq!(&*ids.unique(&"a".into()), "a");
        assert_ne!(&*ids.unique(&"b".into()), "b");
    }
}
