//! Where connections come from: TCP, TCP with TLS, and the server's own socket.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::Peer;

/// A place where connections come in.
pub struct Listener(Kind);

enum Kind {
    Tcp { listener: TcpListener, tls: Option<TlsAcceptor>, loopback: bool },
    Unix(UnixListener),
}

/// A connection that came in.
pub(super) enum Accepted {
    Plain(TcpStream, Peer),
    Tls(TcpStream, TlsAcceptor, Peer),
    Unix(UnixStream),
}

impl Accepted {
    pub(super) fn peer(&self) -> Peer {
        match self {
            Self::Plain(_, peer) | Self::Tls(_, _, peer) => *peer,
            Self::Unix(_) => Peer::Operator,
        }
    }
}

/// A certificate with its key.
pub struct Tls(TlsAcceptor);

impl Tls {
    /// From PEM files: the chain, the server's own certificate first, and its private key.
    pub fn from_files(chain: &Path, key: &Path) -> io::Result<Self> {
        let certificates = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|e| unusable("certificate", chain, &e))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unusable("private key", key, &e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(io::Error::other)?;
        let mut config =
            builder.with_no_client_auth().with_single_cert(certificates, private).map_err(|e| unusable("certificate", chain, &e))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

fn unusable(what: &str, path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("the {what} in {} cannot be used: {error}", path.display()))
}

impl Listener {
    /// Plain HTTP.
    pub fn plain(listener: TcpListener) -> io::Result<Self> {
        Self::tcp(listener, None)
    }

    /// HTTPS.
    pub fn tls(listener: TcpListener, tls: Tls) -> io::Result<Self> {
        Self::tcp(listener, Some(tls.0))
    }

    fn tcp(listener: TcpListener, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let loopback = listener.local_addr()?.ip().is_loopback();
        Ok(Self(Kind::Tcp { listener, tls, loopback }))
    }

    /// The server's own socket: whoever may open the file is the operator. It is
    /// made beside its place with mode 0600 and then moved there, so that it is
    /// never open to others, and takes the place of one that a crash left behind.
    /// Only for a process that holds the data directory.
    pub fn operator(path: &Path) -> io::Result<Self> {
        let new = path.with_extension("new");
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&new)?;
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&new, path)?;
        Ok(Self(Kind::Unix(listener)))
    }

    /// Where it listens, if on the network.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp { listener, .. } => listener.local_addr().ok(),
            Kind::Unix(_) => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match &self.0 {
            Kind::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
            Kind::Tcp { listener, tls, loopback } => {
                let (stream, address) = listener.accept().await?;
                // Frames are small and should leave at once.
                stream.set_nodelay(true)?;
                let peer = Peer::Network { address, loopback: *loopback };
                Ok(match tls {
                    Some(tls) => Accepted::Tls(stream, tls.clone(), peer),
                    None => Accepted::Plain(stream, peer),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_operators_socket_is_his_alone_and_replaces_a_stale_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.sock");
        for _ in 0..2 {
            let listener = Listener::operator(&path).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let (accepted, _stream) = tokio::join!(listener.accept(), UnixStream::connect(&path));
            assert!(matches!(accepted.unwrap().peer(), Peer::Operator));
        }
    }

    #[test]
    fn a_certificate_that_is_none_is_named() {
        let nothing = Path::new("/nonexistent/chain.pem");
        let error = Tls::from_files(nothing, nothing).err().unwrap().to_string();
        assert!(error.contains("/nonexistent/chain.pem"), "{error}");
    }
}
