//! The guests of `tests/hostile`, threat by threat: each ends as its line in the
//! table says, as often as it is called, and a good plugin beside it answers.

mod mutants;
mod particular;

use tool::{End, PluginState};

use crate::guests::guest;
use crate::hostiles::{Ends, Guest, POLICY};
use crate::place::Place;

/// A place with these guests and a good one.
async fn place_of(guests: &[Guest]) -> Place {
    let mut plugins: Vec<(&str, Vec<u8>)> = guests.iter().map(|guest| (guest.name.as_str(), guest.bytes())).collect();
    plugins.push(("good", guest("(call $ok)")));
    Place::with(&plugins, POLICY).await
}

/// Every guest of a threat, twice, with a call of the good plugin after each.
async fn all_end_as_told(row: &str) -> Place {
    let guests: Vec<Guest> = Guest::all().into_iter().filter(|guest| guest.row == row).collect();
    assert!(!guests.is_empty(), "no guest of {row}");
    let place = place_of(&guests).await;
    for guest in &guests {
        ends_as_told(&place, guest).await;
        assert_eq!(place.call("good", "act", "{}").await.end, End::Done, "after {}", guest.name);
    }
    place
}

async fn ends_as_told(place: &Place, guest: &Guest) {
    let state = place.status(&guest.name).state;
    match &guest.ends {
        Ends::Refused(words) => {
            let PluginState::Refused(why) = &state else { panic!("{} is {state:?}", guest.name) };
            assert!(why.contains(words), "{}: {why}", guest.name);
            let end = place.call(&guest.name, "act", "{}").await.end;
            assert!(matches!(end, End::Unavailable(_)), "{}: {end:?}", guest.name);
        }
        Ends::Called(words) => {
            assert_eq!(state, PluginState::Ready, "{}", guest.name);
            for round in 1..=2 {
                let end = place.call(&guest.name, "act", "{}").await.end;
                assert!(words.iter().any(|word| word == end.word()), "{}, call {round}: {end:?}", guest.name);
            }
        }
    }
}

#[tokio::test]
async fn what_spins_is_stopped_wherever_it_spins() {
    all_end_as_told("T1").await;
}

#[tokio::test]
async fn bulk_operations_and_floats_are_stopped() {
    all_end_as_told("T2").await;
}

#[tokio::test]
async fn what_waits_in_the_host_is_ended_by_the_clock() {
    all_end_as_told("T3").await;
}

#[tokio::test]
async fn host_calls_without_end_are_stopped() {
    all_end_as_told("T4").await;
}

#[tokio::test]
async fn growth_is_refused_or_ends_at_its_limit() {
    all_end_as_told("T5").await;
}

#[tokio::test]
async fn deep_recursion_is_a_trap() {
    all_end_as_told("T6").await;
}

#[tokio::test]
async fn what_is_too_large_is_cut_off_while_it_is_read() {
    all_end_as_told("T7").await;
}

#[tokio::test]
async fn nothing_of_a_call_is_left_for_the_next() {
    let place = all_end_as_told("T9").await;
    for _ in 0..20 {
        assert_eq!(place.call("t9-state", "act", "{}").await.end, End::Done);
        assert_eq!(place.call("t9-memory", "act", "{}").await.end, End::Done);
    }
}

#[tokio::test]
async fn what_was_not_granted_is_not_there() {
    all_end_as_told("T12").await;
    all_end_as_told("T13").await;
}

#[tokio::test]
async fn bombs_are_refused() {
    all_end_as_told("T15").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_no_answer() {
    all_end_as_told("T16").await;
}

#[tokio::test]
async fn schemas_that_lie_are_refused() {
    all_end_as_told("T18").await;
}

#[tokio::test]
async fn hidden_text_in_metadata_is_refused() {
    all_end_as_told("T19").await;
}

#[tokio::test]
async fn who_exits_or_aborts_ends_its_call_alone() {
    all_end_as_told("T21").await;
}

#[tokio::test]
async fn nobody_comes_back_in_while_a_call_runs() {
    all_end_as_told("T22").await;
}
