"""Everything a Python program can try. An attempt that finds nothing failed, too."""

import encodings.idna  # now, while the component is built: later there is no library to load it from
import http.client
import os
import socket
import subprocess
import sys
import urllib.request

from wit_world.imports import cache, config, secrets, store


def nonempty(found):
    if not found:
        raise LookupError("there is none")


def tcp_connect(port):
    with socket.socket() as out:
        out.settimeout(2)
        out.connect(("127.0.0.1", port))


def udp_send(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"here", ("127.0.0.1", port))


def tcp_listen():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()


def http_get(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", "/")
    connection.getresponse()


def attempts(port):
    return {
        "read_file": lambda: open("/etc/passwd").read(),
        "read_root": lambda: os.listdir("/"),
        "list_directory": lambda: os.listdir("."),
        "write_file": lambda: open("stranger.txt", "w").write("here"),
        "environment": lambda: nonempty(dict(os.environ)),
        "arguments": lambda: nonempty([argument for argument in sys.argv if argument]),
        "stdin": lambda: nonempty(sys.stdin.read(1)),
        "run_program": lambda: subprocess.run(["/bin/true"]),
        "tcp_connect": lambda: tcp_connect(port),
        "tcp_listen": tcp_listen,
        "udp_send": lambda: udp_send(port),
        "resolve_name": lambda: socket.getaddrinfo("localhost", 80),
        "http_get": lambda: http_get(port),
        "open_url": lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2),
        "secret": lambda: secrets.reveal("weather-key"),
        "secret_ready": lambda: nonempty(secrets.ready("weather-key")),
        "config": lambda: nonempty(config.keys() or config.get("units")),
        "store": lambda: store.set("stranger", b"here"),
        "cache": lambda: cache.write("stranger", b"here"),
    }


def everything(port):
    succeeded, refused = [], {}
    for name, attempt in attempts(port).items():
        try:
            attempt()
            succeeded.append(name)
        except BaseException as why:  # whatever a library throws, it was not reached
            refused[name] = f"{type(why).__name__}: {why}"[:200]
    return {"succeeded": succeeded, "refused": refused}
