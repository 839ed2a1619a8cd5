//! A plugin with grants serves what was accepted, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tool::{End, NotAccepted, PluginDigests, PluginState, Toolbox, Traits};

use crate::guests::{Guest, guest};
use crate::place::{Place, caller, shipped};

const GRANTED: &str = "[plugin.it]\napprove = 'never'\n";

fn first() -> Vec<u8> {
    guest("(call $ok)")
}

fn second() -> Vec<u8> {
    Guest { description: "Does another thing.", ..Guest::default() }.bytes()
}

fn digests(place: &Place) -> PluginDigests {
    place.sandbox.changes("it").unwrap().found.unwrap().digests
}

/// Why it is out of service, once it is.
async fn changed(place: &Place) -> String {
    place.until("it", |status| matches!(status.state, PluginState::Changed(_))).await;
    match place.status("it").state {
        PluginState::Changed(why) => why,
        state => panic!("it is {state:?}"),
    }
}

/// Another version, taken up.
async fn replace(place: &Place, bytes: &[u8]) {
    let before = place.status("it").component;
    fs::write(place.plugin("it"), bytes).unwrap();
    place.until("it", |status| status.component != before).await;
}

async fn restarted(place: Place, text: &str) -> Place {
    let Place { directory, sandbox, .. } = place;
    sandbox.shutdown();
    Place::open(directory, text).await
}

#[tokio::test]
async fn a_change_of_a_plugin_with_grants_takes_it_out_of_service_until_it_is_accepted() {
    let place = Place::with(&[("it", first())], GRANTED).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    replace(&place, &second()).await;

    let why = changed(&place).await;
    assert!(why.contains("its component and what it says about its tools changed") && why.contains("wardian plugins diff it"), "{why}");
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Unavailable(why) if why.contains("accept")));
    assert!(place.sandbox.tools(&caller()).is_empty());
    assert_eq!(Vec::from_iter(place.sandbox.attention()), ["plugin_changed"]);
    let resting = place.sandbox.resting(&caller());
    assert_eq!(resting.iter().map(|tool| &*tool.description).collect::<Vec<_>>(), ["Does one thing."], "as it was accepted");

    let shown = place.sandbox.changes("it").unwrap();
    let lines: Vec<_> = shown.changes.iter().map(|it| (&*it.what, it.before.as_deref(), it.after.as_deref())).collect();
    assert!(lines.contains(&("tool act: description", Some("Does one thing."), Some("Does another thing."))), "{lines:?}");
    assert_eq!(shown.accepted.as_ref().map(|accepted| &*accepted.by), Some("first load"));

    place.sandbox.accept("it", &digests(&place), "ann").unwrap();
    assert_eq!(place.status("it").state, PluginState::Ready);
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    assert_eq!((place.sandbox.attention().len(), place.sandbox.resting(&caller()).len()), (0, 0));
    let accepted = place.sandbox.changes("it").unwrap();
    assert_eq!((accepted.accepted.unwrap().by.as_str(), accepted.changes.len()), ("ann", 0));
}

#[tokio::test]
async fn what_was_accepted_outlives_a_restart_and_the_file() {
    let place = restarted(Place::with(&[("it", first())], GRANTED).await, GRANTED).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    let accepted = place.directory.path().join("data/accepted");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&accepted), mode(&accepted.join("it.json"))), (0o700, 0o600));

    fs::remove_file(place.plugin("it")).unwrap();
    place.once(|| place.sandbox.plugins().is_empty()).await;
    let place = restarted(place, GRANTED).await;
    fs::write(place.plugin("it"), second()).unwrap();
    place.once(|| !place.sandbox.plugins().is_empty()).await;
    changed(&place).await;
    let place = restarted(place, GRANTED).await;
    changed(&place).await;
    fs::write(place.plugin("it"), first()).unwrap();
    place.until("it", |status| status.state == PluginState::Ready).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done, "the accepted bytes need nobody");
}

#[tokio::test]
async fn a_plugin_without_grants_follows_its_file_and_is_frozen_by_its_first_grant() {
    let place = Place::with(&[("it", first())], "").await;
    replace(&place, &second()).await;
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    assert_eq!(place.sandbox.changes("it").unwrap().accepted, None);

    // No notice of the directory comes with a new policy: the call itself writes the version down.
    place.allow(GRANTED);
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done);
    assert_eq!(place.sandbox.changes("it").unwrap().accepted.unwrap().digests, digests(&place));
    fs::write(place.plugin("it"), first()).unwrap();
    changed(&place).await;

    place.allow("");
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done, "without grants it can only compute");
    place.allow(GRANTED);
    changed(&place).await;
}

#[tokio::test]
async fn a_grant_that_nobody_has_used_yet_freezes_what_serves_when_it_comes() {
    let place = Place::with(&[("it", first())], "").await;
    let before = digests(&place);
    place.allow(GRANTED);
    place.sandbox.policy_changed();
    place.once(|| place.sandbox.changes("it").unwrap().accepted.is_some()).await;
    assert_eq!(place.sandbox.changes("it").unwrap().accepted.unwrap().digests, before);
    fs::write(place.plugin("it"), second()).unwrap();
    changed(&place).await;
}

#[tokio::test]
async fn more_requests_in_the_manifest_are_a_change_and_another_version_name_is_none() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("plugins/it")).unwrap();
    fs::write(directory.path().join("plugins/it/it.wasm"), first()).unwrap();
    let manifest = directory.path().join("plugins/it/plugin.toml");
    fs::write(&manifest, "version = '1'\n").unwrap();
    let place = Place::open(directory, GRANTED).await;
    fs::write(&manifest, "version = '2'\n").unwrap();
    place.until("it", |status| status.version.as_deref() == Some("2")).await;
    assert_eq!(place.status("it").state, PluginState::Ready);
    fs::write(&manifest, "version = '2'\n[requests.secrets]\nbank = 'to pay'\n").unwrap();
    assert!(changed(&place).await.starts_with("what it asks for changed"));
    let shown = place.sandbox.changes("it").unwrap().changes;
    assert!(shown.iter().any(|it| (&*it.what, it.after.as_deref()) == ("asks for", Some("secret bank: to pay"))), "{shown:?}");
}

#[tokio::test]
async fn only_what_was_shown_can_be_accepted() {
    let place = Place::with(&[("it", first())], GRANTED).await;
    replace(&place, &second()).await;
    let shown = digests(&place);
    replace(&place, &guest("(unreachable)")).await;
    assert_eq!(place.sandbox.accept("it", &shown, "ann"), Err(NotAccepted::Moved("it".into())));
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Unavailable(_)));
    assert_eq!(place.sandbox.accept("other", &shown, "ann"), Err(NotAccepted::Unknown("other".into())));
}

#[tokio::test]
async fn a_damaged_record_keeps_the_plugin_out_of_service() {
    let place = Place::with(&[("it", first())], GRANTED).await;
    let record = place.directory.path().join("data/accepted/it.json");
    let text = fs::read_to_string(&record).unwrap().replace("Does one thing.", "Does some thing.");
    fs::write(&record, text).unwrap();
    let place = restarted(place, GRANTED).await;
    assert!(changed(&place).await.contains("its digests are not those of what it holds"));
    place.sandbox.accept("it", &digests(&place), "ann").unwrap();
    assert_eq!(restarted(place, GRANTED).await.status("it").state, PluginState::Ready);
}

#[tokio::test]
async fn a_grant_for_a_time_ties_a_shipped_plugin_to_its_bytes_like_any_other_grant() {
    let place = Place::with(&[("it", first())], "").await;
    let builtin = policy::Builtin { plugin: "it".into(), digest: digests(&place).component, file: policy::file::PluginFile::default() };
    let shipped = policy::Policy::build(&policy::file::PolicyFile::default(), place.directory.path(), &[builtin]).unwrap();
    let lease = policy::Lease {
        id: "1".into(),
        plugin: "it".into(),
        tenant: None,
        agent: None,
        grant: policy::LeaseFile { config: [("units".into(), "metric".into())].into(), ..policy::LeaseFile::default() },
        from_ms: 0,
        until_ms: i64::MAX,
        by: "ann".into(),
    };
    place.put_in_force(shipped.clone());
    assert_eq!(place.sandbox.changes("it").unwrap().accepted, None, "what came with the server is tied to the bytes already");
    place.put_in_force(shipped.with_leases(&[lease], 1));
    place.sandbox.policy_changed();
    place.once(|| place.sandbox.changes("it").unwrap().accepted.is_some()).await;
    fs::write(place.plugin("it"), second()).unwrap();
    changed(&place).await;
}

#[tokio::test]
async fn a_pin_for_development_takes_every_change_and_believes_no_claim() {
    let computes = |place: &Place| place.sandbox.tools(&caller())[0].traits;
    let place = Place::with(&[("calculator", shipped("calculator"))], "").await;
    assert!(computes(&place).read_only);
    place.allow("[plugin.calculator]\n");
    assert!(computes(&place).read_only);
    let place = Place::with(&[("calculator", shipped("calculator"))], "[plugin.calculator]\npin = 'auto'\n").await;
    assert_eq!(computes(&place), Traits::default());
    fs::write(place.plugin("calculator"), first()).unwrap();
    place.until("calculator", |status| status.tools == ["act"]).await;
    assert_eq!(place.status("calculator").state, PluginState::Ready);
    assert_eq!(place.sandbox.changes("calculator").unwrap().accepted, None);
}

#[tokio::test]
async fn digests_in_the_operators_file_count_for_more_than_what_was_accepted() {
    let place = Place::with(&[("it", first())], GRANTED).await;
    let old = digests(&place);
    replace(&place, &second()).await;
    let new = digests(&place);
    place.allow(&format!("{GRANTED}digest = '{}'\n", new.component));
    assert_eq!(place.status("it").state, PluginState::Ready);
    assert_eq!(place.call("it", "act", "{}").await.end, End::Done, "whoever wrote its digest has accepted it");

    place.allow(&format!("{GRANTED}digest = '{}'\n", old.component));
    assert!(changed(&place).await.contains(&format!("digest = \"{}\"", new.component)));
    assert!(matches!(place.call("it", "act", "{}").await.end, End::Denied(_)));
    assert!(matches!(place.sandbox.accept("it", &new, "ann"), Err(NotAccepted::Pinned(why)) if why.contains("[plugin.it]")));
    place.allow(&format!("{GRANTED}tools-digest = '{}'\n", old.tools_digest));
    assert!(changed(&place).await.contains("tools-digest"));
}
