//! Small real servers on loopback, and the gate that a guest's requests pass.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use egress::guest::{Client, Gate, Meter, Placeholder, RequestBody, ResponseBody, Terms, Timeouts};
use egress::{Error, Roots, Wait};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use policy::file::PolicyFile;
use policy::{Denied, Floor, HttpPermit, HttpRequest, Inject, Limits, Policy, Secret, SecretError, Who};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listening server; every head and body that it was sent, as text.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers every connection's one request with what the function makes of it.
    pub(crate) async fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::speaking(move |mut stream, seen| {
            let answer = answer.clone();
            async move {
                let request = read_request(&mut stream).await;
                seen.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&answer(&request)).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    /// Hands every connection to the function.
    pub(crate) async fn speaking<F>(speak: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shared = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(speak(stream, shared.clone()));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// A rule for this server, with further lines.
    pub(crate) fn rule(&self, more: &str) -> String {
        format!(
            "[[plugin.fetch.http]]\nhost = '127.0.0.1'\nscheme = 'http'\nport = {}\nmethods = ['GET', 'HEAD', 'POST']\n{more}\n",
            self.port()
        )
    }
}

/// One request, its body as far as `content-length` or the last chunk says.
pub(crate) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let (mut text, mut piece) = (String::new(), [0; 4096]);
    loop {
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let chunked = head.contains("transfer-encoding: chunked");
            length.map_or(!chunked || body.ends_with("0\r\n\r\n"), |length| body.len() >= length.parse().unwrap())
        });
        if complete {
            return text;
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => text.push_str(&String::from_utf8_lossy(&piece[..count])),
        }
    }
}

pub(crate) fn ok(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) async fn write_ok(stream: &mut (impl AsyncWrite + Unpin), body: &str) {
    let _ = stream.write_all(&ok("", body)).await;
}

/// The operator's policy as a gate, with one secret of the value `hush-hush`, and the placeholders of the call.
pub(crate) struct Rules(Policy, Vec<Placeholder>);

/// What is in every test's policy: loopback opened on purpose, one secret.
pub(crate) const OPEN: &str = "[secrets.key]\nfrom = 'env:KEY'\n[network]\nprivate = ['127.0.0.0/8']\n";

impl Rules {
    pub(crate) fn new(text: &str) -> Self {
        let file = PolicyFile::parse(text).unwrap();
        Self(Policy::build(&file, Path::new("/"), &[]).unwrap(), Vec::new())
    }
}

impl Gate for Rules {
    fn decide(&self, request: &HttpRequest<'_>) -> Result<HttpPermit, Denied> {
        self.0.http(&Who { plugin: "fetch", digest: None, tenant: "default", agent: "assistant" }, request)
    }

    fn floor(&self) -> &Floor {
        self.0.floor()
    }

    fn secret(&self, inject: &Inject) -> Result<Secret, SecretError> {
        inject.reference.resolve(|_| Some("hush-hush".into()), |_| unreachable!("the test's secret is a variable"))
    }

    fn placeholders(&self) -> &[Placeholder] {
        &self.1
    }
}

/// One call of a guest.
pub(crate) struct Call {
    pub(crate) client: Client,
    pub(crate) rules: Rules,
    pub(crate) meter: Arc<Meter>,
    pub(crate) timeouts: Timeouts,
}

impl Call {
    pub(crate) fn new(policy: &str) -> Self {
        Self::within(policy, Limits::default())
    }

    pub(crate) fn within(policy: &str, limits: Limits) -> Self {
        let client = Client::new(&Roots::default());
        Self { client, rules: Rules::new(policy), meter: Meter::new(&limits), timeouts: Timeouts::default() }
    }

    /// With a placeholder that stands for a secret.
    pub(crate) fn hiding(mut self, text: &str, value: &str) -> Self {
        self.rules.1.push(Placeholder { text: text.into(), secret: Secret::new(value.into()).unwrap() });
        self
    }

    /// With this one wait cut short; the others stay long enough for a busy machine.
    pub(crate) fn impatient(mut self, what: Wait, wait: Duration) -> Self {
        match what {
            Wait::Connect => self.timeouts.connect = wait,
            Wait::FirstByte => self.timeouts.first_byte = wait,
            Wait::NextBytes => self.timeouts.between_bytes = wait,
        }
        self
    }

    pub(crate) async fn send(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, Error> {
        sendable(self.client.send(request, Terms { gate: &self.rules, meter: &self.meter, timeouts: self.timeouts })).await
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Response<ResponseBody>, Error> {
        self.send(Request::get(url).body(body("")).unwrap()).await
    }
}

/// Requests are sent from tasks that move between threads.
fn sendable<F: Future + Send>(future: F) -> F {
    future
}

pub(crate) fn body(text: &str) -> RequestBody {
    Full::new(Bytes::copy_from_slice(text.as_bytes())).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) async fn text(response: Response<ResponseBody>) -> Result<String, Error> {
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
