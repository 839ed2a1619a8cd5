//! Sessions that idle: their minutes are over because their records say that they are old.

use futures_util::future::join;
use session::{Millis, Uid};
use storage::{Directory, Kind, Rename};

use super::*;

const MINUTE_MS: i64 = 60_000;

/// How long an old session may idle: more than a test takes on a busy machine.
const MINUTES: i64 = 5;

fn now() -> Millis {
    agent::Clock.now()
}

impl Server {
    /// A session of the agent `a` that may idle for `MINUTES` and was made an hour ago; its path and uid.
    async fn old_session(&self, key: &str, name: &str) -> (String, Uid) {
        let made = self.post("/v2/agents/a/sessions", key, json!({"key": name, "tti_minutes": MINUTES})).await;
        assert_eq!((made.status, made.json()["tti_minutes"].as_i64()), (StatusCode::CREATED, Some(MINUTES)), "{}", made.text);
        let agents = self.store.list(self.tenant(key), Kind::Agent, Uid([0; 16]), None, 10).unwrap();
        let agent = agents.iter().find(|record| record.name == "a").unwrap();
        let record = self.store.find(agent.tenant, Kind::Session, agent.uid, name).unwrap().unwrap();
        let mut body: Value = serde_json::from_slice(&record.body).unwrap();
        (body["created_at"], body["revision"]) = (json!(now().0 - 60 * MINUTE_MS), json!(record.version + 1));
        self.store.update(record.uid, record.version, body.to_string().into_bytes(), Rename::Keep).await.unwrap();
        self.store.expire_at(record.uid, Some(Millis(now().0 - (60 - MINUTES) * MINUTE_MS))).await.unwrap();
        (format!("/v2/agents/a/sessions/{name}"), record.uid)
    }

    fn tenant(&self, key: &str) -> Uid {
        self.keyring.verify(key).unwrap().unwrap().tenant
    }

    /// When a session is to be looked at.
    fn looked_at(&self, session: Uid) -> Option<Millis> {
        let times = self.store.expiring(Millis(i64::MAX), None, 1_000).unwrap();
        times.into_iter().find(|(_, uid)| *uid == session).map(|(at, _)| at)
    }

    /// Whether a session is to be looked at so many minutes after a moment of the last three.
    fn is_looked_at_in(&self, session: Uid, minutes: i64) -> bool {
        let since = self.looked_at(session).unwrap().0 - minutes * MINUTE_MS;
        (0..=3 * MINUTE_MS).contains(&(now().0 - since))
    }

    async fn status(&self, path: &str, key: &str) -> StatusCode {
        self.get(path, key).await.status
    }
}

async fn started() -> (Server, String) {
    let server = start(Limits { requests_per_minute: 100_000.try_into().unwrap(), ..Limits::default() }).await;
    let key = server.key("default", Role::AgentAdministrator).await;
    server.with_session(&key).await;
    (server, key)
}

#[tokio::test]
async fn a_session_that_idled_for_too_long_is_gone_and_its_key_is_free() {
    let (server, key) = started().await;
    let (path, uid) = server.old_session(&key, "old").await;
    assert_eq!(server.status(&path, &key).await, 200);

    server.engine.end_idle_now().await.unwrap();

    let gone = server.get(&path, &key).await;
    assert_eq!((gone.status, gone.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("session_not_found")));
    assert_eq!(server.looked_at(uid), None);
    assert_eq!(server.status("/v2/agents/a/sessions/s", &key).await, 200, "a session without a time stays");
    assert_eq!(server.post("/v2/agents/a/sessions", &key, json!({"key": "old"})).await.status, 201);
}

#[tokio::test]
async fn an_event_keeps_a_session_and_reading_or_changing_it_does_not() {
    let (server, key) = started().await;
    let (used, used_uid) = server.old_session(&key, "used").await;
    let (read, _) = server.old_session(&key, "read").await;
    assert_eq!(server.post(&format!("{used}/events"), &key, says("hello")).await.status, 201);
    assert_eq!(server.status(&format!("{read}/events"), &key).await, 200);
    assert_eq!(server.ask(Method::PATCH, &read, &key, Some(json!({"name": "N"}))).await.status, 200);

    server.engine.end_idle_now().await.unwrap();

    assert_eq!((server.status(&used, &key).await, server.status(&read, &key).await), (StatusCode::OK, StatusCode::NOT_FOUND));
    assert!(server.is_looked_at_in(used_uid, MINUTES));
}

#[tokio::test]
async fn other_minutes_count_from_their_change_and_none_ends_the_waiting() {
    let (server, key) = started().await;
    let (longer, longer_uid) = server.old_session(&key, "longer").await;
    let (never, never_uid) = server.old_session(&key, "never").await;
    let change = async |path: &str, minutes: Value| server.ask(Method::PATCH, path, &key, Some(json!({"tti_minutes": minutes}))).await;
    assert_eq!(change(&longer, json!(9)).await.json()["tti_minutes"], 9);
    assert_eq!(change(&never, json!(null)).await.json()["tti_minutes"], 0);
    assert_eq!(change("/v2/agents/a/sessions/s", json!(3)).await.status, 200);

    server.engine.end_idle_now().await.unwrap();

    assert_eq!((server.status(&longer, &key).await, server.status(&never, &key).await), (StatusCode::OK, StatusCode::OK));
    assert!(server.is_looked_at_in(longer_uid, 9));
    assert_eq!(server.looked_at(never_uid), None);
    assert_eq!(server.store.expiring(Millis(i64::MAX), None, 10).unwrap().len(), 2, "also one that had none before");
}

#[tokio::test]
async fn a_session_that_was_not_made_leaves_no_time_behind() {
    let (server, key) = started().await;
    let taken = server.post("/v2/agents/a/sessions", &key, json!({"key": "s", "tti_minutes": 9})).await;
    assert_eq!(taken.status, 409);
    let (path, uid) = server.old_session(&key, "seen").await;
    let both = join(
        server.ask(Method::PATCH, &path, &key, Some(json!({"tti_minutes": 7}))),
        server.ask(Method::PATCH, &path, &key, Some(json!({"tti_minutes": 90}))),
    );
    let (one, other) = both.await;
    assert!(one.status == 200 || other.status == 200);
    let shown = server.get(&path, &key).await.json()["tti_minutes"].as_i64().unwrap();
    assert!(server.is_looked_at_in(uid, shown), "{shown}");
    assert_eq!(server.store.expiring(Millis(i64::MAX), None, 10).unwrap().len(), 1);
}

/// Every order of two things is right; this makes them differ.
async fn waits(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

/// Whatever comes first: an input that was answered is kept with its session, one that was not finds none.
#[tokio::test(flavor = "multi_thread")]
async fn an_input_and_the_end_by_idling_do_not_lose_what_was_answered() {
    let (server, key) = started().await;
    for round in 0..64 {
        let (path, _) = server.old_session(&key, &format!("r{round}")).await;
        let posted = async {
            waits(round % 8).await;
            server.post(&format!("{path}/events"), &key, says("hello")).await
        };
        let ended = async {
            waits(round / 8).await;
            server.engine.end_idle_now().await
        };
        // Each order once for certain; in which they come otherwise is chance.
        let (answer, ended, wanted) = match round {
            0 => (posted.await, ended.await, Some(StatusCode::CREATED)),
            1 => {
                let ended = ended.await;
                (posted.await, ended, Some(StatusCode::NOT_FOUND))
            }
            _ => {
                let (answer, ended) = join(posted, ended).await;
                (answer, ended, None)
            }
        };
        ended.unwrap();
        assert!(wanted.is_none_or(|wanted| answer.status == wanted), "round {round}: {}", answer.text);
        if answer.status == 201 {
            let events = server.get(&format!("{path}/events"), &key).await.json();
            assert_eq!(events["events"].as_array().map(Vec::len), Some(2), "{events}");
        } else {
            assert_eq!(
                (answer.status, answer.json()["code"].as_str()),
                (StatusCode::NOT_FOUND, Some("session_not_found")),
                "{}",
                answer.text
            );
            assert_eq!(server.status(&path, &key).await, 404);
        }
    }
}
