//! Everything a Rust program can try, with the standard library, with WASI's own
//! interfaces and with Wardian's. An attempt that finds nothing failed, too.

use std::fmt::Display;
use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::process::Command;
use std::{env, fs};

use serde_json::{Map, Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};
use wasip2::sockets::{instance_network::instance_network, ip_name_lookup};

use crate::wardian::plugin::{cache, config, secrets, store};

/// What an attempt brought, or why it brought nothing.
type Outcome = Result<(), String>;

pub fn everything(port: u16) -> Value {
    let local = ("127.0.0.1", port);
    let attempts: [(&str, Outcome); 20] = [
        ("read_file", done(fs::read("/etc/passwd"))),
        ("read_root", done(fs::read_dir("/"))),
        ("list_directory", done(fs::read_dir("."))),
        ("write_file", done(fs::write("stranger.txt", "here"))),
        ("environment", some(env::vars_os())),
        ("arguments", some(env::args_os().filter(|argument| !argument.is_empty()))),
        ("stdin", stdin()),
        ("run_program", done(Command::new("/bin/true").status())),
        ("tcp_connect", done(TcpStream::connect(local))),
        ("tcp_listen", done(TcpListener::bind("127.0.0.1:0"))),
        ("udp_send", done(UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"here", local)))),
        ("resolve_name", done(("localhost", 80).to_socket_addrs())),
        ("resolve_name_directly", resolve()),
        ("http_get", http_get(port)),
        ("preopens", some(wasip2::filesystem::preopens::get_directories().into_iter())),
        ("secret", secrets::reveal("weather-key").map(drop).map_err(|denial| format!("{denial:?}"))),
        ("secret_ready", if secrets::ready("weather-key") { Ok(()) } else { Err("not ready".into()) }),
        ("config", config()),
        ("store", store::set("stranger", b"here").map_err(|error| error.to_string())),
        ("cache", cache::write("stranger", b"here").map_err(|error| error.to_string())),
    ];
    let mut succeeded = Vec::new();
    let mut refused = Map::new();
    for (name, outcome) in attempts {
        match outcome {
            Ok(()) => succeeded.push(name),
            Err(reason) => _ = refused.insert(name.into(), reason.into()),
        }
    }
    json!({"succeeded": succeeded, "refused": refused})
}

fn done<T, E: Display>(result: Result<T, E>) -> Outcome {
    result.map(drop).map_err(|error| error.to_string())
}

fn some<T>(mut found: impl Iterator<Item = T>) -> Outcome {
    found.next().map(drop).ok_or_else(|| "there is none".to_owned())
}

fn stdin() -> Outcome {
    let mut byte = [0];
    match std::io::stdin().read(&mut byte) {
        Ok(0) => Err("it is at its end".into()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

fn resolve() -> Outcome {
    let names = ip_name_lookup::resolve_addresses(&instance_network(), "localhost").map_err(|code| code.to_string())?;
    names.subscribe().block();
    match names.resolve_next_address() {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err("no address".into()),
        Err(code) => Err(code.to_string()),
    }
}

fn http_get(port: u16) -> Outcome {
    let request = OutgoingRequest::new(Fields::new());
    let prepared = request
        .set_scheme(Some(&Scheme::Http))
        .and_then(|()| request.set_authority(Some(&format!("127.0.0.1:{port}"))))
        .and_then(|()| request.set_path_with_query(Some("/")));
    prepared.map_err(|()| "the request is not accepted")?;
    let response = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    response.subscribe().block();
    match response.get() {
        Some(Ok(Ok(_))) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn config() -> Outcome {
    if config::get("units").is_some() || !config::keys().is_empty() { Ok(()) } else { Err("there is none".into()) }
}
