//! The two tapes: one that writes down what a call hears, and one that tells it again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tool::tape::{Answer, Clock, Request, Tape};

use super::{Asked, Clocks, Exchange, Heard, Readings, Recording};
use crate::mask::Mask;
use crate::text::Bytes;

/// Distinct readings of one clock that are kept; a call that does nothing but look at
/// it makes no endless recording. Played, the clock goes on from the last one.
const READINGS_MAX: usize = 10_000;

/// Headers whose values are credentials, whatever they are.
const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"];

/// What stands in the place of such a value.
const WITHHELD: &[u8] = b"(withheld)";

/// Writes down what a call hears.
pub struct Recorder {
    seed: [u8; 32],
    mask: Mask,
    clocks: Mutex<Clocks>,
    http: Mutex<Vec<Exchange>>,
}

impl Recorder {
    /// An empty tape; `seed` is random.
    pub fn new(seed: [u8; 32], mask: Mask) -> Self {
        Self { seed, mask, clocks: Mutex::default(), http: Mutex::default() }
    }

    /// What was written down so far.
    pub fn taken(&self) -> (String, Clocks, Vec<Exchange>) {
        (data_encoding::HEXLOWER.encode(&self.seed), held(&self.clocks).clone(), held(&self.http).clone())
    }
}

impl Tape for Recorder {
    fn seed(&self) -> [u8; 32] {
        self.seed
    }

    fn reading(&self, clock: Clock, live: u64) -> u64 {
        let mut clocks = held(&self.clocks);
        let readings = of(&mut clocks, clock);
        let count = readings.len();
        match readings.last_mut() {
            Some((last, times)) if *last == live => *times = times.saturating_add(1),
            _ if count < READINGS_MAX => readings.push((live, 1)),
            _ => {}
        }
        live
    }

    fn play(&self, _request: &Request) -> Option<Answer> {
        None
    }

    fn keep(&self, request: Request, answer: &Answer) {
        let answer = match answer {
            Answer::Failure(failure) => Heard::Failure { failure: failure.clone() },
            Answer::Response { status, headers, body, broken } => {
                let body = self.mask.bytes(body);
                let mut headers = kept(headers, &self.mask);
                // A secret that was taken out makes it another length.
                headers.iter_mut().filter(|(name, _)| name == "content-length").for_each(|(_, value)| {
                    *value = Bytes(body.len().to_string().into_bytes());
                });
                Heard::Response { status: *status, headers, body: Bytes(body), broken: broken.clone() }
            }
        };
        held(&self.http).push(Exchange { request: asked(&request, &self.mask), answer });
    }
}

/// Tells a call again what it heard.
pub struct Player {
    seed: [u8; 32],
    mask: Mask,
    clocks: Mutex<(Clocks, [u64; 3])>,
    http: Mutex<(Vec<Option<Exchange>>, Vec<Asked>)>,
}

/// Where a played call asked for something else than the recorded one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unheard {
    /// Requests to which the recording has no answer; they were refused.
    pub unknown: Vec<Asked>,
    /// Requests of the recording that were not made.
    pub missing: Vec<Asked>,
}

impl Player {
    /// A tape that tells this; the mask is that of the recording.
    pub fn new(seed: [u8; 32], clocks: Clocks, http: Vec<Exchange>, mask: Mask) -> Self {
        let http = Mutex::new((http.into_iter().map(Some).collect(), Vec::new()));
        Self { seed, mask, clocks: Mutex::new((clocks, [0; 3])), http }
    }

    /// The tape of a recording; none where the seed in it is not 64 hexadecimal digits.
    pub fn of(recording: &Recording) -> Option<Self> {
        let Recording { random, clocks, http, .. } = recording;
        let seed = data_encoding::HEXLOWER_PERMISSIVE.decode(random.as_bytes()).ok()?.try_into().ok()?;
        Some(Self::new(seed, clocks.clone(), http.clone(), recording.mask()))
    }

    /// What was asked otherwise.
    pub fn unheard(&self) -> Unheard {
        let http = held(&self.http);
        Unheard { unknown: http.1.clone(), missing: http.0.iter().flatten().map(|exchange| exchange.request.clone()).collect() }
    }
}

impl Tape for Player {
    fn seed(&self) -> [u8; 32] {
        self.seed
    }

    /// The readings in their order; beyond the last one the clock goes on by a millisecond a look.
    fn reading(&self, clock: Clock, _live: u64) -> u64 {
        let (clocks, last) = &mut *held(&self.clocks);
        let last = &mut last[clock as usize];
        let readings = of(clocks, clock);
        *last = match readings.first_mut() {
            Some((reading, times)) => {
                let reading = *reading;
                *times = times.saturating_sub(1);
                if *times == 0 {
                    readings.remove(0);
                }
                reading
            }
            None => match clock {
                Clock::Wall | Clock::Monotonic => last.saturating_add(1),
                Clock::TimeLeft => last.saturating_sub(1),
            },
        };
        *last
    }

    fn play(&self, request: &Request) -> Option<Answer> {
        let asked = asked(request, &self.mask);
        let mut http = held(&self.http);
        let same = |it: &Asked| (&it.method, &it.url, &it.body) == (&asked.method, &asked.url, &asked.body);
        let found = http.0.iter_mut().find(|slot| slot.as_ref().is_some_and(|exchange| same(&exchange.request)));
        let Some(exchange) = found.and_then(Option::take) else {
            http.1.push(asked);
            return Some(Answer::Failure("HTTP-request-denied".into()));
        };
        let plain = |headers: Vec<(String, Bytes)>| headers.into_iter().map(|(name, value)| (name, value.0)).collect();
        Some(match exchange.answer {
            Heard::Failure { failure } => Answer::Failure(failure),
            Heard::Response { status, headers, body, broken } => Answer::Response { status, headers: plain(headers), body: body.0, broken },
        })
    }

    fn keep(&self, _request: Request, _answer: &Answer) {}
}

fn of(clocks: &mut Clocks, clock: Clock) -> &mut Readings {
    match clock {
        Clock::Wall => &mut clocks.wall,
        Clock::Monotonic => &mut clocks.monotonic,
        Clock::TimeLeft => &mut clocks.time_left,
    }
}

fn asked(request: &Request, mask: &Mask) -> Asked {
    let Request { method, url, headers, body } = request;
    Asked { method: method.clone(), url: mask.text(url), headers: kept(headers, mask), body: Bytes(mask.bytes(body)) }
}

fn kept(headers: &[(String, Vec<u8>)], mask: &Mask) -> Vec<(String, Bytes)> {
    let value = |name: &str, value: &[u8]| if CREDENTIALS.contains(&name) { WITHHELD.to_vec() } else { mask.bytes(value) };
    headers.iter().map(|(name, bytes)| (name.clone(), Bytes(value(name, bytes)))).collect()
}

/// Nothing that holds these locks can leave them half written.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
