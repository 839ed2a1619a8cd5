//! Tests of the hub: what each kind of reader is told, and in which order.

use std::task::{Context, Poll, Waker};

use session::{HowEnded, Seq, TurnNo};

use super::*;

fn entry(seq: u64, kind: Kind, body: &str) -> Arc<Entry> {
    Arc::new(Entry { seq: Seq(seq), at: Millis(0), turn: TurnNo(1), step: 0, kind, body: body.into() })
}

fn drain(watcher: &mut Watcher) -> Vec<String> {
    let mut seen = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(news)) = watcher.poll_next(&mut cx) {
        seen.push(match news {
            News::Entry(entry) => entry.kind.word().to_owned(),
            News::Delta { text, .. } => text,
            News::Void { .. } => "void".into(),
            News::Call { id, what, .. } => match what {
                CallNews::Began { name } => format!("{id} {name}"),
                CallNews::Arguments(piece) => format!("{id} {piece}"),
                CallNews::Void => format!("{id} void"),
                CallNews::Progress { note, .. } => format!("{id} {note}"),
            },
            News::Usage { .. } => "usage".into(),
            News::CompactionStarted { .. } => "compaction_started".into(),
            News::Closed(closing) => closing.word().to_owned(),
        });
    }
    seen
}

/// A reader of what runs.
fn watch(hub: &Hub, follow: Follow) -> Watcher {
    hub.watch(follow, Of::default(), None)
}

/// A reader of an input that waits.
fn wait_for(hub: &Hub, no: u64, follow: Follow) -> Watcher {
    hub.watch(follow, Of { asked: None, queued: Some(no) }, None)
}

fn ended() -> Closing {
    Closing::Ended(HowEnded::Answered)
}

#[test]
fn text_never_overtakes_an_entry_that_waits_for_its_commit() {
    let hub = Hub::new(1 << 20);
    let mut live = watch(&hub, Follow::Text);
    hub.hold();
    hub.delta(Part::Thinking, "hm".into(), Millis(1));
    hub.delta(Part::Text, "early".into(), Millis(1));
    assert_eq!(drain(&mut live), Vec::<String>::new());
    hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
    assert_eq!(drain(&mut live), ["input_message", "hm", "early"]);
}

#[test]
fn everything_keeps_its_order_when_the_model_is_faster_than_the_disk() {
    let hub = Hub::new(1 << 20);
    let mut live = watch(&hub, Follow::Text);
    hub.hold();
    hub.delta(Part::Text, "one".into(), Millis(1));
    hub.usage(TokenUsage::default(), Millis(1));
    hub.hold();
    hub.delta(Part::Text, "two".into(), Millis(2));
    hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
    assert_eq!(drain(&mut live), ["input_message", "one"]);
    hub.settled(&[entry(2, Kind::AgentOutput, "{}"), entry(3, Kind::ToolInput, "{}"), entry(4, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut live), ["agent_output", "tool_input", "usage", "two"]);
}

#[test]
fn waiting_pieces_merge_and_an_idle_reader_gets_each_at_once() {
    let hub = Hub::new(1 << 20);
    let mut live = watch(&hub, Follow::Text);
    hub.delta(Part::Text, "a".into(), Millis(1));
    assert_eq!(drain(&mut live), ["a"]);
    hub.delta(Part::Text, "b".into(), Millis(1));
    hub.delta(Part::Text, "c".into(), Millis(1));
    assert_eq!(drain(&mut live), ["bc"]);
}

#[test]
fn a_late_reader_gets_what_was_shown_then_the_unfinished_text_in_one_piece() {
    let hub = Hub::new(1 << 20);
    hub.settled(&[entry(1, Kind::InputMessage, "{}"), entry(2, Kind::Thinking, r#"{"content":"hm"}"#)]);
    hub.delta(Part::Text, "one ".into(), Millis(1));
    hub.delta(Part::Text, "two".into(), Millis(1));
    let mut late = watch(&hub, Follow::Text);
    assert_eq!(drain(&mut late), ["input_message", "hm", "thinking", "one two"]);
    let readers = hub.close(&ended());
    assert!(!readers[0].1.delivered());
    assert_eq!(drain(&mut late), ["answered"]);
    assert!(readers[0].1.delivered());
}

#[test]
fn a_late_reader_gets_all_parts_of_the_reply_that_is_coming_and_what_becomes_no_event_is_void() {
    let hub = Hub::new(1 << 20);
    hub.delta(Part::Thinking, "hm".into(), Millis(1));
    hub.delta(Part::Text, "{".into(), Millis(1));
    let mut late = watch(&hub, Follow::Text);
    hub.hold();
    hub.settled(&[entry(1, Kind::Thinking, "{}"), entry(2, Kind::StructuredOutput, "{}"), entry(3, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut late), ["hm", "{", "void", "thinking", "structured_output"]);
    hub.delta(Part::Text, "anew".into(), Millis(1));
    assert_eq!(drain(&mut watch(&hub, Follow::Text)), ["thinking", "structured_output", "anew"]);
}

#[test]
fn a_reader_that_only_wants_the_answer_gets_entries_alone() {
    let hub = Hub::new(1 << 20);
    let mut plain = watch(&hub, Follow::Entries);
    assert!(!hub.watched());
    hub.delta(Part::Text, "x".into(), Millis(1));
    hub.settled(&[entry(1, Kind::AgentOutput, "{}"), entry(2, Kind::Ended, "{}")]);
    hub.close(&ended());
    assert_eq!(drain(&mut plain), ["agent_output", "answered"]);
}

#[test]
fn a_reader_that_never_reads_is_cut_off_and_costs_no_more() {
    let hub = Hub::new(8);
    let mut slow = watch(&hub, Follow::Text);
    hub.settled(&[entry(1, Kind::ToolOutput, "\"0123456789\"")]);
    hub.settled(&[entry(2, Kind::ToolOutput, "{}")]);
    assert_eq!(drain(&mut slow), Vec::<String>::new());
    assert!(hub.lock().taps.is_empty());
}

#[test]
fn one_large_piece_reaches_a_reader_that_keeps_up() {
    let hub = Hub::new(8);
    let mut live = watch(&hub, Follow::Text);
    hub.delta(Part::Text, "0123456789".into(), Millis(1));
    assert_eq!(drain(&mut live), ["0123456789"]);
    hub.delta(Part::Text, "0123456789".into(), Millis(1));
    assert_eq!(drain(&mut live), ["0123456789"]);
}

#[test]
fn readers_are_let_go_when_the_session_ends_without_a_word() {
    let hub = Hub::new(8);
    let mut live = watch(&hub, Follow::Text);
    drop(hub);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(live.poll_next(&mut cx), Poll::Ready(None)));
}

#[test]
fn who_waits_for_a_later_turn_sees_the_rest_of_this_one_and_then_its_own() {
    let hub = Hub::new(1 << 20);
    hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
    hub.delta(Part::Text, "so far".into(), Millis(1));
    let mut later = wait_for(&hub, 3, Follow::Text);
    hub.settled(&[entry(2, Kind::AgentOutput, "{}")]);
    assert_eq!(hub.close(&ended()).len(), 0);
    hub.taken(3);
    hub.settled(&[entry(4, Kind::InputMessage, "{}")]);
    assert_eq!(hub.close(&ended()).len(), 1);
    assert_eq!(drain(&mut later), ["input_message", "so far", "agent_output", "input_message", "answered"]);
}

#[test]
fn a_pause_lets_everybody_go_and_an_input_that_cannot_begin_its_own_readers_alone() {
    let hub = Hub::new(1 << 20);
    let (mut first, mut second) = (wait_for(&hub, 1, Follow::Entries), wait_for(&hub, 2, Follow::Entries));
    hub.refuse(1, &Error::Idle);
    assert_eq!(drain(&mut first), ["refused"]);
    hub.close(&Closing::Paused);
    assert_eq!(drain(&mut second), ["paused"]);
    assert!(hub.lock().taps.is_empty());
}

#[test]
fn a_summary_is_announced_after_what_was_before_it() {
    let hub = Hub::new(1 << 20);
    let mut live = watch(&hub, Follow::Text);
    hub.hold();
    hub.compacting(Millis(2));
    hub.delta(Part::Text, "after".into(), Millis(3));
    assert_eq!(drain(&mut live), Vec::<String>::new());
    hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
    assert_eq!(drain(&mut live), ["input_message", "compaction_started", "after"]);
    assert_eq!(drain(&mut watch(&hub, Follow::Text)), ["input_message", "compaction_started", "after"]);
    hub.settled(&[entry(2, Kind::Compaction, "{}")]);
    assert_eq!(drain(&mut watch(&hub, Follow::Text)), ["input_message", "compaction", "after"]);
}

fn calls(hub: &Hub) -> Watcher {
    watch(hub, Follow::Calls)
}

fn began(hub: &Hub, id: &str, name: &str) {
    hub.call(id.into(), CallNews::Began { name: name.into() }, Millis(1));
}

fn arguments(hub: &Hub, id: &str, piece: &str) {
    hub.call(id.into(), CallNews::Arguments(piece.into()), Millis(1));
}

fn tool_input(seq: u64, id: &str, input: &str) -> Arc<Entry> {
    entry(seq, Kind::ToolInput, &format!(r#"{{"tool_call_id":"{id}","tool_configuration_name":"search","tool_input":{input}}}"#))
}

#[test]
fn a_call_is_told_as_it_is_written_and_its_entry_after_it() {
    let hub = Hub::new(1 << 20);
    let (mut reader, mut of_text) = (calls(&hub), watch(&hub, Follow::Text));
    hub.hold();
    hub.delta(Part::Text, "Let me see.".into(), Millis(1));
    began(&hub, "c1", "search");
    arguments(&hub, "c1", "{\"q\":");
    hub.settled(&[entry(1, Kind::InputMessage, "{}")]);
    assert_eq!(drain(&mut reader), ["input_message", "Let me see.", "c1 search", "c1 {\"q\":"]);
    arguments(&hub, "c1", "\"a");
    arguments(&hub, "c1", "b\"}");
    assert_eq!(drain(&mut reader), ["c1 \"ab\"}"]);
    hub.hold();
    hub.settled(&[entry(2, Kind::AgentOutput, "{}"), tool_input(3, "c1", "{\"q\":\"ab\"}"), entry(4, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut reader), ["agent_output", "tool_input"]);
    assert_eq!(drain(&mut of_text), ["input_message", "Let me see.", "agent_output", "tool_input"]);
}

#[test]
fn a_late_reader_gets_the_calls_that_are_open_and_those_that_were_made() {
    let hub = Hub::new(1 << 20);
    hub.settled(&[tool_input(1, "c1", "{}"), entry(2, Kind::Reply, "{}")]);
    began(&hub, "c2", "search");
    arguments(&hub, "c2", "{\"q\"");
    arguments(&hub, "c2", ":1");
    assert_eq!(drain(&mut calls(&hub)), ["c1 search", "c1 {}", "tool_input", "c2 search", "c2 {\"q\":1"]);
    assert_eq!(drain(&mut watch(&hub, Follow::Text)), ["tool_input"]);
}

#[test]
fn a_call_that_was_not_told_as_it_was_written_is_told_with_its_entry() {
    let hub = Hub::new(1 << 20);
    let mut reader = calls(&hub);
    hub.settled(&[tool_input(1, "c1", "{\"n\":1.10}"), entry(2, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut reader), ["c1 search", "c1 {\"n\":1.10}", "tool_input"]);
}

#[test]
fn what_was_written_of_a_call_is_void_when_the_model_is_asked_again() {
    let hub = Hub::new(1 << 20);
    let mut reader = calls(&hub);
    began(&hub, "c1", "search");
    arguments(&hub, "c1", "{");
    hub.void(Millis(2));
    began(&hub, "c1", "search");
    arguments(&hub, "c1", "{}");
    assert_eq!(drain(&mut reader), ["c1 search", "c1 {", "c1 void", "c1 search", "c1 {}"]);
    hub.settled(&[entry(1, Kind::AgentOutput, "{}"), entry(2, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut reader), ["c1 void", "agent_output"]);
}

#[test]
fn a_withheld_call_is_told_with_what_the_client_is_to_act_on_when_it_waits_for_it() {
    let hub = Hub::new(1 << 20);
    let mut reader = calls(&hub);
    hub.withhold("c1".into());
    hub.settled(&[tool_input(1, "c1", "{\"q\":1}"), entry(2, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut reader), ["tool_input"]);
    assert_eq!(drain(&mut calls(&hub)), ["tool_input"]);
    let pending = r#"{"pending_calls":[{"tool_call_id":"c1","tool_configuration_name":"search","arguments":{"q":1,"user":7}}]}"#;
    hub.settled(&[entry(3, Kind::ClientToolPending, pending)]);
    let told = ["c1 search", "c1 {\"q\":1,\"user\":7}", "client_tool_pending"];
    assert_eq!(drain(&mut reader), told);

    // A server that takes up the turn in between tells the same.
    let hub = Hub::new(1 << 20);
    hub.preface(Shown { entries: vec![tool_input(1, "c1", "{\"q\":1}")], withheld: vec!["c1".into()] });
    let mut reader = calls(&hub);
    hub.hold();
    hub.settled(&[entry(3, Kind::ClientToolPending, pending)]);
    assert_eq!(drain(&mut reader)[1..], told);
}

#[test]
fn of_the_reports_of_a_call_that_wait_the_last_one_stays() {
    let hub = Hub::new(1 << 20);
    let mut reader = calls(&hub);
    for (id, note) in [("c1", "one"), ("c2", "begun"), ("c1", "two")] {
        hub.progress(id.into(), None, note.into(), Millis(1));
    }
    assert_eq!(drain(&mut reader), ["c1 two", "c2 begun"]);
    assert!(drain(&mut watch(&hub, Follow::Text)).is_empty());
}

#[test]
fn a_burst_of_text_and_its_entry_cut_nobody_and_further_entries_cut_who_still_has_not_read() {
    let hub = Hub::new(1 << 10);
    let (mut live, mut slow) = (watch(&hub, Follow::Text), watch(&hub, Follow::Text));
    let text = "more than it may keep waiting ".repeat(100);
    for _ in 0..3 {
        hub.delta(Part::Text, text.clone(), Millis(1));
    }
    hub.settled(&[entry(1, Kind::AgentOutput, &text.repeat(3)), entry(2, Kind::Reply, "{}")]);
    assert_eq!(drain(&mut live), [text.repeat(3), "agent_output".into()]);
    hub.settled(&[entry(3, Kind::AgentOutput, "{}")]);
    assert_eq!(hub.lock().taps.len(), 1);
    hub.close(&ended());
    assert_eq!(drain(&mut live), ["agent_output", "answered"]);
    assert_eq!(drain(&mut slow), Vec::<String>::new());
}

#[test]
fn a_turn_answers_somebody_while_one_of_those_who_asked_reads() {
    let hub = Hub::new(8);
    let asked = Some(Asked { key: session::Uid([1; 16]), subject: None, hash: [0; 32] });
    let reader = hub.watch(Follow::Text, Of { asked, queued: None }, None);
    let onlooker = watch(&hub, Follow::Text);
    assert!(hub.answers_somebody());
    drop(reader);
    assert!(!hub.answers_somebody());
    drop(onlooker);
}
