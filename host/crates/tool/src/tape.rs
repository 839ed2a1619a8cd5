//! A tape of one call: what the world told the guest, kept so that the same call
//! can be run again without the world. Only the commands of authors use one; a
//! server's calls have none, and then nothing here is asked.

/// Which clock a guest looked at. All of them are read in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clock {
    /// The time of day, since 1970.
    Wall,
    /// The one that only goes forward.
    Monotonic,
    /// What is left of the call's time.
    TimeLeft,
}

/// A request as the guest made it: without the secrets that the host injects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Names in small letters, in the order in which they were set.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// What a guest heard of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A response, without secrets that a server sent back.
    Response {
        /// Such as 200.
        status: u16,
        /// Names in small letters.
        headers: Vec<(String, Vec<u8>)>,
        /// The body as far as it came.
        body: Vec<u8>,
        /// The code by which the body broke off, where it did.
        broken: Option<String>,
    },
    /// No response: the code that the guest saw, in the words of `wasi:http`.
    Failure(String),
}

/// Records what a call hears, or tells it again.
pub trait Tape: Send + Sync {
    /// What the call's random numbers are made from. Asked once a call.
    fn seed(&self) -> [u8; 32];

    /// What the guest sees of a clock that shows `live`. Asked at every look; must not block.
    fn reading(&self, clock: Clock, live: u64) -> u64;

    /// The answer to a request, where the tape plays; none lets the request leave.
    fn play(&self, request: &Request) -> Option<Answer>;

    /// What came of a request that left. Called once for each of them.
    fn keep(&self, request: Request, answer: &Answer);
}
