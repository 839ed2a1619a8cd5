//! Our own accept loop: connections are counted and timed, shutting down has a
//! deadline, and a connection that does nothing goes away by itself.

mod body;
mod guard;
mod listener;
mod places;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

pub(crate) use body::BodyStalled;
pub use listener::{Listener, Tls};

use crate::metrics::Open;
use body::{InFlight, Timed};
use guard::Guarded;
use listener::Accepted;
use places::Places;

/// The bounds of connections.
#[derive(Debug, Clone, Copy)]
pub struct Doors {
    /// Connections at once. Against running out of descriptors; more are closed at once.
    pub connections: usize,
    /// Connections at once from one address; an IPv6 network of 64 bits counts as one. Loopback is exempt, because
    /// a proxy in front of this server brings everybody from there.
    pub per_address: usize,
    /// Until a TLS handshake is done. Against connections that begin one and stop.
    pub handshake: Duration,
    /// Until the head of a request is there. Against heads that trickle.
    pub head: Duration,
    /// Between two pieces of a body, and between two pieces that the peer takes of an answer.
    pub progress: Duration,
    /// Without any request. Against connections that only take a place.
    pub idle: Duration,
    /// From the wish to stop until connections that are still open are cut.
    pub drain: Duration,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            connections: 8_192,
            per_address: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            progress: Duration::from_secs(60),
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(10),
        }
    }
}

/// HTTP/2 streams of one connection at once.
const H2_STREAMS: u32 = 128;

/// Pause after an accept that failed, mostly for want of descriptors: a loop without one would only eat the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub enum Peer {
    /// Somebody on the network.
    Network {
        /// Their address.
        address: SocketAddr,
        /// Whether the listener is bound to a loopback address.
        loopback: bool,
    },
    /// Who may open the server's own socket: the operator.
    Operator,
}

impl Peer {
    /// The address, where there is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Network { address, .. } => Some(address.ip()),
            Self::Operator => None,
        }
    }
}

/// Serves until `stop` is cancelled and the open requests have ended, or the
/// deadline of the drain is over. Streams end by themselves when `stop` is the
/// token that the router was built with.
pub async fn serve(listeners: Vec<Listener>, router: Router, doors: Doors, stop: CancellationToken) {
    let (tracker, cut) = (TaskTracker::new(), CancellationToken::new());
    let house =
        Arc::new(House { router, doors, stop: stop.clone(), cut: cut.clone(), places: Places::new(doors), tracker: tracker.clone() });
    let loops: Vec<_> = listeners.into_iter().map(|listener| tokio::spawn(accept(house.clone(), listener))).collect();
    for accepting in loops {
        if let Err(error) = accepting.await {
            tracing::error!(%error, "an accept loop ended by itself");
        }
    }
    tracker.close();
    if tokio::time::timeout(doors.drain, tracker.wait()).await.is_err() {
        tracing::warn!(connections = tracker.len(), "connections were still open at the end of the drain and are cut");
        cut.cancel();
        tracker.wait().await;
    }
}

/// What the connections share.
struct House {
    router: Router,
    doors: Doors,
    stop: CancellationToken,
    cut: CancellationToken,
    places: Arc<Places>,
    tracker: TaskTracker,
}

async fn accept(house: Arc<House>, listener: Listener) {
    loop {
        let accepted = tokio::select! {
            () = house.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => admit(&house, accepted),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Gives a connection its place and its task; where there is none left it is closed by being dropped.
fn admit(house: &Arc<House>, accepted: Accepted) {
    let Some(place) = house.places.take(accepted.peer().address()) else { return };
    let (house, cut) = (house.clone(), house.cut.clone());
    house.clone().tracker.spawn(async move {
        let _place = (place, Open::connection());
        tokio::select! {
            () = cut.cancelled() => {}
            () = converse(&house, accepted) => {}
        }
    });
}

async fn converse(house: &House, accepted: Accepted) {
    match accepted {
        Accepted::Plain(stream, peer) => connection(house, stream, peer).await,
        Accepted::Unix(stream) => connection(house, stream, Peer::Operator).await,
        Accepted::Tls(stream, acceptor, peer) => {
            // Who does not finish the handshake is nobody we could answer.
            if let Ok(Ok(stream)) = tokio::time::timeout(house.doors.handshake, acceptor.accept(stream)).await {
                connection(house, stream, peer).await;
            }
        }
    }
}

/// One connection from its first byte to its last.
async fn connection<S>(house: &House, stream: S, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let in_flight = InFlight::default();
    let (router, progress, counted) = (house.router.clone(), house.doors.progress, in_flight.clone());
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (router, busy) = (router.clone(), counted.begin());
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::Body::new(Timed::new(&head, body, progress));
            let mut request = http::Request::from_parts(head, body);
            request.extensions_mut().insert(peer);
            let response = router.oneshot(request).await;
            response.map(|response| response.map(|body| busy.until_end_of(body)))
        }
    });

    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(house.doors.head).keep_alive(true);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(H2_STREAMS).keep_alive_interval(house.doors.progress);
    let io = TokioIo::new(Guarded::new(stream, in_flight, house.doors.idle, house.doors.progress));
    let serving = builder.serve_connection(io, service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = house.stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn start(router: Router, doors: Doors) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let serving = tokio::spawn(serve(vec![Listener::plain(listener).unwrap()], router, doors, stop.clone()));
        (address, stop, serving)
    }

    async fn said(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap_or_default();
        answer
    }

    #[tokio::test]
    async fn a_request_is_answered_and_the_peer_is_known() {
        let show = |axum::Extension(peer): axum::Extension<Peer>| async move { format!("{:?}", peer.address().unwrap().is_loopback()) };
        let (address, stop, serving) = start(Router::new().route("/", get(show)), Doors::default()).await;
        let answer = said(address, "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("true"), "{answer}");
        stop.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn a_silent_connection_is_closed() {
        let doors = Doors { idle: Duration::from_millis(50), ..Doors::default() };
        let (address, _stop, _serving) = start(Router::new(), doors).await;
        assert_eq!(said(address, "").await, "");
        assert_eq!(said(address, "PRI * HTT").await, "");
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_is_given_up() {
        let doors = Doors { progress: Duration::from_millis(50), ..Doors::default() };
        let read = |body: axum::body::Body| async move { axum::body::to_bytes(body, 100).await.is_err().to_string() };
        let (address, _stop, _serving) = start(Router::new().route("/", post(read)), doors).await;
        let answer = said(address, "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\nconnection: close\r\n\r\nhalf").await;
        assert!(answer.ends_with("true"), "{answer}");
    }

    #[tokio::test]
    async fn who_is_refused_in_the_middle_of_a_body_still_gets_the_answer_and_may_ask_again() {
        let refuse = || async { http::StatusCode::PAYLOAD_TOO_LARGE };
        let (address, _stop, _serving) = start(Router::new().route("/", post(refuse)), Doors::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        for _ in 0..4 {
            let size = 8 << 20;
            stream.write_all(format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n").as_bytes()).await.unwrap();
            stream.write_all(&vec![b'x'; size]).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"\r\n\r\n") {
                answer.push(stream.read_u8().await.unwrap());
            }
            assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
        }
    }

    #[tokio::test]
    async fn a_body_without_end_is_cut_off() {
        let refuse = || async { http::StatusCode::PAYLOAD_TOO_LARGE };
        let (address, _stop, _serving) = start(Router::new().route("/", post(refuse)), Doors::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
        let piece = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
        let mut sent = 0_usize;
        while stream.write_all(&piece).await.is_ok() {
            sent += piece.len();
            assert!(sent < 512 << 20, "nobody stops this");
        }
    }

    #[tokio::test]
    async fn a_drain_ends_although_an_answer_does_not() {
        let endless = || async {
            axum::body::Body::new(http_body_util::StreamBody::new(futures_util::stream::pending::<Result<_, std::io::Error>>()))
        };
        let endless = move || {
            let body = endless();
            async move {
                let body: axum::body::Body = body.await;
                axum::response::Response::new(body)
            }
        };
        let doors = Doors { drain: Duration::from_millis(50), ..Doors::default() };
        let (address, stop, serving) = start(Router::new().route("/", get(endless)), doors).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).await.unwrap();
        stop.cancel();
        serving.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
