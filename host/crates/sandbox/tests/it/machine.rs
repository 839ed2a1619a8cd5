//! What no guest ever gets: sockets, names, environment, arguments, input. And
//! the cache, which it gets up to its quota.

use serde_json::json;

use crate::probe::{self, error, outcome, outcomes};

#[tokio::test]
async fn there_are_no_sockets_and_no_names() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let (port, udp) = (listener.local_addr().unwrap().port(), datagrams.local_addr().unwrap().port());
    // Not even where the operator opened the way for requests.
    let rule = format!("[[plugin.probe.http]]\nhost = '127.0.0.1'\nscheme = 'http'\nport = {port}\n[network]\nprivate = ['127.0.0.0/8']\n");
    let place = probe::place(&rule).await;
    for step in [
        json!({"tcp": format!("127.0.0.1:{port}")}),
        json!({"tcp": "[::1]:80"}),
        json!({"tcp": "1.1.1.1:443"}),
        json!({"listen": "127.0.0.1:0"}),
        json!({"listen": "0.0.0.0:0"}),
        json!({"udp": format!("127.0.0.1:{udp}")}),
        json!({"udp": "[2606:4700::1111]:53"}),
        json!({"resolve": "localhost"}),
        json!({"resolve": "example.com"}),
        json!({"resolve": "127.0.0.1"}),
    ] {
        let refused = outcome(&place, json!({"socket": step})).await;
        assert!(["access-denied", "permanent-resolver-failure"].iter().any(|code| error(&refused).contains(code)), "{step}: {refused}");
    }
    assert!(listener.accept().is_err(), "nothing came to the listener");
    assert!(datagrams.recv(&mut [0; 16]).is_err(), "no datagram came");
}

#[tokio::test]
async fn environment_arguments_and_input_are_empty() {
    assert!(std::env::vars().count() > 0, "there is something to see");
    let place = probe::place("").await;
    let seen =
        outcomes(&place, json!([{"machine": "env"}, {"machine": "args"}, {"machine": "cwd"}, {"machine": "stdin"}, "preopens"])).await;
    assert_eq!(seen, [json!({"ok": []}), json!({"ok": []}), json!({"ok": null}), json!({"ok": null}), json!({"ok": []})]);
}

#[tokio::test]
async fn the_cache_takes_as_much_as_its_quota_and_no_name_leads_out_of_it() {
    let place = probe::place("").await;
    let write = |name: &str, bytes: usize| json!({"machine": {"cache": [name, bytes]}});
    assert!(error(&outcome(&place, write("a", 1)).await).contains("Denied"));
    probe::allow(&place, "[plugin.probe.cache]\nquota = '1000B'\n");
    let tried = outcomes(&place, json!([write("a", 600), write("b", 600), write("a", 900), write("b", 100), write("b", 101)])).await;
    let fits: Vec<bool> = tried.iter().map(|tried| tried["error"].is_null()).collect();
    assert_eq!(fits, [true, false, true, true, false], "{tried:?}");
    assert!(error(&tried[1]).contains("Quota(1000)"), "{}", tried[1]);
    let held: u64 = std::fs::read_dir(place.directory.path().join("cache/plugins/00ff/probe"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(held, 1000);
    for name in ["../a", "a/b", "/a", ".", "..", "", ".hidden", "A", "a\\b", "-a"] {
        assert!(error(&outcome(&place, write(name, 1)).await).contains("InvalidName"), "{name}");
    }
}
