//! Who may run now: so many calls of one plugin at the same time, and so many
//! of one plugin for one tenant in a span of time; and where, by how long its last call was.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use policy::Rate;
use tokio::sync::Notify;

use crate::lanes::Habit;

/// Pairs of tenant and plugin whose rate is kept; with more of them, those that
/// are full again are forgotten.
const RATES_KEPT_MAX: usize = 10_000;

/// The calls of one plugin that run. The limit comes with each call, because
/// the operator may change it at any time.
#[derive(Default)]
pub(crate) struct Gate {
    running: AtomicU32,
    left: Notify,
    /// In which lane its calls begin.
    pub habit: Arc<Habit>,
}

/// Leave to run; given back when dropped.
pub(crate) struct Pass(Arc<Gate>);

impl Gate {
    /// Waits until fewer than `at_once` calls run.
    pub(crate) async fn pass(self: Arc<Self>, at_once: u32) -> Pass {
        loop {
            let left = self.left.notified();
            let enter = |running| (running < at_once).then_some(running + 1);
            if self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, enter).is_ok() {
                drop(left);
                return Pass(self);
            }
            left.await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.left.notify_one();
    }
}

/// The gates of all plugins and the rates of all tenants.
#[derive(Default)]
pub(crate) struct Gates {
    gates: Mutex<HashMap<Arc<str>, Arc<Gate>>>,
    rates: Mutex<HashMap<TenantPlugin, Bucket>>,
}

/// A tenant's name and a plugin's.
type TenantPlugin = (Arc<str>, Arc<str>);

/// Calls that may still be made, refilled steadily.
struct Bucket {
    calls: f64,
    at: Instant,
}

impl Gates {
    /// The gate of a plugin.
    pub(crate) fn of(&self, plugin: &Arc<str>) -> Arc<Gate> {
        lock(&self.gates).entry(plugin.clone()).or_default().clone()
    }

    /// Takes one call out of a tenant's rate, if there is one left.
    pub(crate) fn within(&self, rate: Rate, tenant: &Arc<str>, plugin: &Arc<str>, now: Instant) -> bool {
        let (most, per) = (f64::from(rate.count), rate.per.as_secs_f64().max(0.001));
        let refilled = |bucket: &Bucket| (bucket.calls + now.saturating_duration_since(bucket.at).as_secs_f64() * most / per).min(most);
        let mut rates = lock(&self.rates);
        if rates.len() >= RATES_KEPT_MAX {
            rates.retain(|_, bucket| refilled(bucket) < most);
        }
        let bucket = rates.entry((tenant.clone(), plugin.clone())).or_insert(Bucket { calls: most, at: now });
        *bucket = Bucket { calls: refilled(bucket), at: now };
        if bucket.calls < 1.0 {
            return false;
        }
        bucket.calls -= 1.0;
        true
    }
}

/// Nothing that holds these locks can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_rate_is_each_tenants_own_and_refills() {
        let (gates, now) = (Gates::default(), Instant::now());
        let rate = Rate { count: 2, per: Duration::from_secs(60) };
        let (one, other, plugin) = (Arc::from("one"), Arc::from("other"), Arc::from("plugin"));
        assert!(gates.within(rate, &one, &plugin, now) && gates.within(rate, &one, &plugin, now));
        assert!(!gates.within(rate, &one, &plugin, now));
        assert!(gates.within(rate, &other, &plugin, now));
        assert!(gates.within(rate, &one, &plugin, now + Duration::from_secs(30)));
    }

    #[tokio::test]
    async fn a_full_gate_lets_the_next_in_when_one_leaves() {
        let gate = Arc::new(Gate::default());
        let first = gate.clone().pass(1).await;
        let second = tokio::spawn(gate.clone().pass(1));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.is_ok());
    }
}
