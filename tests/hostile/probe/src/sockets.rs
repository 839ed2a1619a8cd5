//! Sockets and names, which no guest ever gets.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use serde_json::Value;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

use crate::Outcome;

/// One try. The error says how far it came.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Socket {
    Tcp(SocketAddr),
    Listen(SocketAddr),
    Udp(SocketAddr),
    Resolve(String),
}

impl Socket {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Tcp(to) => connect(to),
            Self::Listen(at) => listen(at),
            Self::Udp(to) => send(to),
            Self::Resolve(name) => resolve(&name),
        }
    }
}

fn failed(what: &'static str) -> impl Fn(ErrorCode) -> String {
    move |code| format!("{what}: {}", code.name())
}

fn connect(to: SocketAddr) -> Outcome {
    let socket = tcp_create_socket::create_tcp_socket(family(to)).map_err(failed("create"))?;
    socket.start_connect(&instance_network::instance_network(), address(to)).map_err(failed("start-connect"))?;
    socket.subscribe().block();
    socket.finish_connect().map_err(failed("finish-connect"))?;
    Ok(Value::Null)
}

fn listen(at: SocketAddr) -> Outcome {
    let socket = tcp_create_socket::create_tcp_socket(family(at)).map_err(failed("create"))?;
    socket.start_bind(&instance_network::instance_network(), address(at)).map_err(failed("start-bind"))?;
    socket.finish_bind().map_err(failed("finish-bind"))?;
    socket.start_listen().map_err(failed("start-listen"))?;
    socket.finish_listen().map_err(failed("finish-listen"))?;
    Ok(Value::Null)
}

/// Bound or not, with the place in the socket or in each datagram: all ways are tried.
fn send(to: SocketAddr) -> Outcome {
    let socket = udp_create_socket::create_udp_socket(family(to)).map_err(failed("create"))?;
    let any = SocketAddr::new(if to.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) }, 0);
    let network = instance_network::instance_network();
    let bound = socket.start_bind(&network, address(any)).and_then(|()| socket.finish_bind());
    let mut why = bound.err().map(failed("bind")).unwrap_or_default();
    for remote in [Some(address(to)), None] {
        let (_incoming, outgoing) = match socket.stream(remote) {
            Ok(streams) => streams,
            Err(code) => {
                why = format!("{why} stream: {}", code.name());
                continue;
            }
        };
        let datagram =
            wasip2::sockets::udp::OutgoingDatagram { data: b"hello".to_vec(), remote_address: remote.is_none().then(|| address(to)) };
        outgoing.subscribe().block();
        match outgoing.check_send().and_then(|_| outgoing.send(&[datagram])) {
            Ok(1..) => return Ok(Value::Null),
            Ok(0) => why = format!("{why} send: nothing"),
            Err(code) => why = format!("{why} send: {}", code.name()),
        }
    }
    Err(why)
}

fn resolve(name: &str) -> Outcome {
    let found = ip_name_lookup::resolve_addresses(&instance_network::instance_network(), name).map_err(failed("resolve"))?;
    found.subscribe().block();
    let first = found.resolve_next_address().map_err(failed("next"))?;
    Ok(first.map_or(Value::Null, |address| format!("{address:?}").into()))
}

fn family(address: SocketAddr) -> IpAddressFamily {
    if address.is_ipv4() { IpAddressFamily::Ipv4 } else { IpAddressFamily::Ipv6 }
}

fn address(address: SocketAddr) -> IpSocketAddress {
    let port = address.port();
    match address.ip() {
        IpAddr::V4(ip) => IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: ip.octets().into() }),
        IpAddr::V6(ip) => IpSocketAddress::Ipv6(Ipv6SocketAddress { port, flow_info: 0, scope_id: 0, address: ip.segments().into() }),
    }
}
