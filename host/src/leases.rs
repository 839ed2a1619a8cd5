//! The policy in force: what the file says, and what was granted for a time. The
//! leases are in the store, so that they survive a restart, and never in the file.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent::Clock;
use anyhow::Context;
use api::{LeaseInfo, Lent, NewLease, NotLent};
use arc_swap::ArcSwap;
use policy::{LEASES_MAX, Lease, Policy, Problem};
use session::{Millis, Uid};
use storage::{Directory, Kind, Outbox, Record};
use tokio::sync::Notify;

/// The tenant and the scope of a lease's record: it is the operator's.
const ROOT: Uid = Uid([0; 16]);

/// The longest look away while there are leases. A machine that slept, or whose
/// clock was set, must not keep a lease for longer than this beyond its end.
const LOOK: Duration = Duration::from_secs(30);

/// Leases, and the policy that they are a part of.
pub(crate) struct Leases {
    directory: Arc<dyn Directory>,
    outbox: Arc<dyn Outbox>,
    clock: Clock,
    policy: Arc<ArcSwap<Policy>>,
    state: Mutex<State>,
    /// Held while one is made, so that they are counted right.
    making: tokio::sync::Mutex<()>,
    changed: Notify,
    /// The digest of the policy that the audit log knows to be in force.
    recorded: Mutex<Arc<str>>,
}

struct State {
    /// What the file says, without leases.
    file: Arc<Policy>,
    /// Those that have not ended, oldest first.
    leases: Vec<(Uid, Lease)>,
}

impl Leases {
    /// Reads the leases that were kept, and puts them in force on top of what the file says.
    pub(crate) fn open(directory: Arc<dyn Directory>, outbox: Arc<dyn Outbox>, file: Policy) -> anyhow::Result<Self> {
        let records = directory.list(ROOT, Kind::Lease, ROOT, None, LEASES_MAX).context("cannot read the grants for a time")?;
        let read = |record: Record| match serde_json::from_slice(&record.body) {
            Ok(lease) => Some((record.uid, lease)),
            Err(error) => {
                tracing::error!("the grant for a time {} cannot be read and is not in force: {error}", record.uid.hex());
                None
            }
        };
        let state = State { file: Arc::new(file), leases: records.into_iter().filter_map(read).collect() };
        let policy = Arc::new(ArcSwap::from_pointee(Policy::default()));
        let making = tokio::sync::Mutex::new(());
        let (changed, recorded) = (Notify::new(), Mutex::new(policy.load().digest().clone()));
        let leases = Self { directory, outbox, clock: Clock, policy, state: Mutex::new(state), making, changed, recorded };
        leases.put_in_force(&leases.state());
        *leases.recorded() = leases.policy.load().digest().clone();
        Ok(leases)
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<ArcSwap<Policy>> {
        self.policy.clone()
    }

    /// Takes what a new file says; the leases stay.
    pub(crate) fn file_changed(&self, file: Policy) {
        let mut state = self.state();
        state.file = Arc::new(file);
        self.put_in_force(&state);
    }

    /// Tells the audit log which policy decides from here on, where that changed.
    pub(crate) async fn record(&self, by: audit::Source) {
        let digest = self.policy.load().digest().clone();
        if *self.recorded() == digest {
            return;
        }
        let record = audit::Record::Policy { digest: &digest, by };
        match record.put(&*self.outbox, self.clock.now()).await {
            Ok(()) => *self.recorded() = digest,
            Err(error) => tracing::error!(%error, "the audit log does not say yet that the policy changed"),
        }
    }

    /// Makes a lease; durable and in force when it answers.
    pub(crate) async fn lend(&self, wanted: NewLease) -> Result<Lent, NotLent> {
        let _making = self.making.lock().await;
        let (uid, now) = (self.clock.uid(), self.clock.now());
        let NewLease { plugin, tenant, agent, grant, lasts, by } = wanted;
        let until_ms = now.0.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        let lease = Lease { id: uid.hex(), plugin, tenant, agent, grant, from_ms: now.0, until_ms, by };
        let (file, count) = {
            let state = self.state();
            let held = state.leases.iter().map(|(_, lease)| lease.clone()).collect::<Vec<_>>();
            (state.file.with_leases(&held, now.0), held.len())
        };
        if count >= LEASES_MAX {
            return Err(NotLent::TooMany(count));
        }
        let sentences = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        let warnings = file.check_lease(&lease).map_err(|problems| NotLent::Refused(sentences(problems)))?;
        self.directory.create(record(uid, &lease)).await?;
        tracing::info!(
            lease.id = lease.id,
            plugin.id = lease.plugin,
            "granted to plugin {} by {} until {}",
            lease.plugin,
            lease.by,
            time(until_ms)
        );
        let lent = Lent { lease: info(&lease), warnings: sentences(warnings) };
        {
            let mut state = self.state();
            state.leases.push((uid, lease));
            self.put_in_force(&state);
        }
        self.changed.notify_one();
        self.record(audit::Source::Lease).await;
        Ok(lent)
    }

    /// Ends the lease of an id, or all leases of a plugin; they are out of force when it answers.
    pub(crate) async fn revoke(&self, id_or_plugin: &str) -> Result<usize, NotLent> {
        let _making = self.making.lock().await;
        let named = |lease: &Lease| lease.id == id_or_plugin || lease.plugin == id_or_plugin;
        let ended: Vec<(Uid, Lease)> = self.state().leases.iter().filter(|(_, lease)| named(lease)).cloned().collect();
        for (uid, lease) in &ended {
            // The row first: what could not be deleted stays in force, and can be revoked once more.
            self.directory.delete(*uid).await?;
            {
                let mut state = self.state();
                state.leases.retain(|(other, _)| other != uid);
                self.put_in_force(&state);
            }
            tracing::info!(
                lease.id = lease.id,
                plugin.id = lease.plugin,
                "revoked what was granted to plugin {} until {}",
                lease.plugin,
                time(lease.until_ms)
            );
        }
        self.record(audit::Source::Lease).await;
        Ok(ended.len())
    }

    /// Those that are in force.
    pub(crate) fn list(&self) -> Vec<LeaseInfo> {
        self.state().leases.iter().map(|(_, lease)| info(lease)).collect()
    }

    /// Ends each lease at its time, for as long as the server runs.
    pub(crate) async fn follow(&self) {
        loop {
            let ended = self.ended();
            self.record(audit::Source::Lease).await;
            for (uid, lease) in ended {
                tracing::info!(
                    lease.id = lease.id,
                    plugin.id = lease.plugin,
                    "what was granted to plugin {} for a time has ended",
                    lease.plugin
                );
                if let Err(error) = self.directory.delete(uid).await {
                    // Out of force all the same: its time is a part of the row.
                    tracing::warn!(%error, "the row of an ended grant stays until the next start");
                }
            }
            match self.next_end() {
                None => self.changed.notified().await,
                // Either way the next round looks at the clock.
                Some(wait) => drop(tokio::time::timeout(wait.min(LOOK), self.changed.notified()).await),
            }
        }
    }

    /// Takes those out of force whose time is over.
    fn ended(&self) -> Vec<(Uid, Lease)> {
        let now = self.clock.now().0;
        let mut state = self.state();
        let (ended, holding): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.leases).into_iter().partition(|(_, lease)| lease.until_ms <= now);
        state.leases = holding;
        if !ended.is_empty() {
            self.put_in_force(&state);
        }
        ended
    }

    fn next_end(&self) -> Option<Duration> {
        let now = self.clock.now().0;
        let next = self.state().leases.iter().map(|(_, lease)| lease.until_ms).min()?;
        Some(Duration::from_millis(u64::try_from(next.saturating_sub(now)).unwrap_or_default()))
    }

    fn put_in_force(&self, state: &State) {
        let leases: Vec<Lease> = state.leases.iter().map(|(_, lease)| lease.clone()).collect();
        let policy = state.file.with_leases(&leases, self.clock.now().0);
        for warning in policy.warnings().iter().skip(state.file.warnings().len()) {
            tracing::warn!("{warning}");
        }
        self.policy.store(Arc::new(policy));
    }

    /// The policy that the audit log knows of. Two that change at the same time may both write; a line twice is no gap.
    fn recorded(&self) -> MutexGuard<'_, Arc<str>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn record(uid: Uid, lease: &Lease) -> Record {
    let body = serde_json::to_vec(lease).expect("a lease is made of JSON values");
    Record { uid, tenant: ROOT, kind: Kind::Lease, scope: ROOT, name: lease.id.clone(), alias: None, version: 1, body }
}

fn time(ms: i64) -> String {
    Millis(ms).rfc3339()
}

fn info(lease: &Lease) -> LeaseInfo {
    let Lease { id, plugin, tenant, agent, grant, from_ms, until_ms, by } = lease.clone();
    LeaseInfo { id, plugin, tenant, agent, grant, since: time(from_ms), until: time(until_ms), by }
}
