//! Metrics: the names of all of them, how they are recorded, and how they are
//! read. Labels are names from the configuration and routes as they are
//! written in the table, never keys, sessions or anything a client makes up.

use std::time::Duration;

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use http::StatusCode;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds of the buckets: a list takes less than a millisecond, a turn minutes.
const BUCKETS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

const REQUESTS: &str = "wardian_requests_total";
const REQUEST_SECONDS: &str = "wardian_request_seconds";
const STREAMS: &str = "wardian_open_streams";
const CONNECTIONS: &str = "wardian_open_connections";

/// Reads what was recorded.
#[derive(Clone)]
pub struct Handle(PrometheusHandle);

/// Makes this process record metrics. Once per process; everything before it is lost.
pub fn install() -> Result<Handle, BuildError> {
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)?;
    let handle = Handle(builder.install_recorder()?);
    describe_counter!(REQUESTS, "requests answered, by route and class of status");
    describe_histogram!(REQUEST_SECONDS, "time until a request was answered, or its stream began");
    describe_gauge!(STREAMS, "event streams open now");
    describe_gauge!(CONNECTIONS, "connections open now");
    Ok(handle)
}

impl Handle {
    /// Everything in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// A request was answered.
pub(crate) fn request(route: &str, status: StatusCode, took: Duration) {
    let class = match status.as_u16() / 100 {
        2 => "2xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    };
    counter!(REQUESTS, "route" => route.to_owned(), "status" => class).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route.to_owned()).record(took.as_secs_f64());
}

/// Counts something as open until it is dropped.
pub(crate) struct Open(&'static str);

impl Open {
    /// An event stream.
    pub(crate) fn stream() -> Self {
        Self::new(STREAMS)
    }

    /// A connection.
    pub(crate) fn connection() -> Self {
        Self::new(CONNECTIONS)
    }

    fn new(name: &'static str) -> Self {
        gauge!(name).increment(1.0);
        Self(name)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!(self.0).decrement(1.0);
    }
}
