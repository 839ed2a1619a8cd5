"""The served document against the real server: it is valid OpenAPI, and whatever fits it, or just does not fit it,
gets an answer that it describes.

WARDIAN_FUZZ_EXAMPLES is how many made-up requests each operation gets, beside those for each bound in its schemas.
"""

import itertools
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request
import zlib

import hypothesis
import pytest
import schemathesis
from openapi_spec_validator import validate
from schemathesis import checks as known

KEY = "wardian-schemathesis-key-0123456789abcdef"
EXAMPLES = int(os.environ.get("WARDIAN_FUZZ_EXAMPLES", "30"))
GOLDEN = pathlib.Path(__file__).parents[2] / "host/crates/api/golden/openapi.json"
CONFIG = """
data = "data"
[server]
rate = "1000000/min"
[models.default]
provider = "offline"
"""

# The names of things that exist, by the parameter of a path that holds them. The events are found when the server runs.
AGENT, SESSION, TOOL = "agt_fuzz", "ase_fuzz", "tol_calculator_calculate"
THERE = {"agent_key": AGENT, "session_key": SESSION, "tool_id": TOOL, "plugin": "calculator"}
NAME = re.compile(r"[0-9a-zA-Z_-]{1,50}")

# Checks that are left out, and why.
LEFT_OUT = [
    # A request may fit its schema and still name what does not exist or is taken: 404, 409 and 400 are right then.
    known.positive_data_acceptance,
    # By the API's own rules unknown members are ignored and null counts as absent, so what breaks a schema may be taken.
    known.negative_data_rejection,
    # Wrong keys are slowed down with 429 after twenty a minute. The end-to-end tests go through every operation and
    # every kind of caller instead.
    known.ignored_auth,
]

schema = schemathesis.openapi.from_path(GOLDEN)


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of a server of our own, with the offline model."""
    home = tmp_path_factory.mktemp("server")
    (home / "wardian.toml").write_text(CONFIG)
    binary = pathlib.Path(os.environ["WARDIAN_BINARY"])
    log = open(home / "log", "w+")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "WARDIAN_OWNER_KEY": KEY}
    arguments = [binary, "serve", "--config", "wardian.toml", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(arguments, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        yield wait_until_ready(server, home / "log")
        assert server.poll() is None, "the server ended:\n" + (home / "log").read_text()[-4000:]
    finally:
        server.terminate()
        server.wait(30)


def wait_until_ready(server, log):
    for _ in range(6000):
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            try:
                if urllib.request.urlopen(found.group(0) + "/readyz").status == 200:
                    return found.group(0)
            except OSError:
                pass
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError("the server is not ready:\n" + log.read_text())


def ask(address, path, body=None, method=None):
    """The answer to a request; none where what it makes is there already."""
    headers = {"x-api-key": KEY, "content-type": "application/json"}
    request = urllib.request.Request(address + path, data=body and json.dumps(body).encode(), headers=headers, method=method)
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        assert error.code == 409, error.read()


@pytest.fixture
def things(address):
    """What THERE names, made anew where an operation before took it away or changed it."""
    tools = {"calc": {"type": "dynamic_vectara", "tool_id": TOOL}}
    agent = {"name": f"Fuzz {time.monotonic_ns()}", "model": {"name": "default"}, "tool_configurations": tools, "first_step": {"name": "main"}}
    if ask(address, "/v2/agents", {"key": AGENT, **agent}) is None:
        ask(address, f"/v2/agents/{AGENT}", agent, "PUT")
    session = f"/v2/agents/{AGENT}/sessions"
    if ask(address, session, {"key": SESSION}) is None:
        ask(address, f"{session}/{SESSION}", {"enabled": True}, "PATCH")
    if not ask(address, f"{session}/{SESSION}/events?limit=1")["events"]:
        ask(address, f"{session}/{SESSION}/events", {"messages": [{"content": "/calc {\"expression\": \"6*7\"}"}]})
    THERE["event_id"] = ask(address, f"{session}/{SESSION}/events?limit=1")["events"][0]["id"]
    return address


made = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Lets three requests of four be about what exists and what is free: made-up names meet 404 and 409 only. What
    breaks its schema stays as it is."""
    if zlib.crc32(repr((case.path_parameters, case.body)).encode()) % 4 == 0:
        return
    for name in case.path_parameters or {}:
        if name in THERE and NAME.fullmatch(str(case.path_parameters[name])):
            case.path_parameters[name] = THERE[name]
    if isinstance(case.body, dict):
        case.body = grounded(case.body)
    for name in list(case.headers or {}):
        # A client that allows a turn no time gets its 504; this is about other failures.
        if name.lower().startswith("request-timeout") and str(case.headers[name]).isdigit():
            case.headers[name] = "60000"


def grounded(body):
    """A body whose new names are free, and whose other ones exist."""
    body = dict(body)
    if isinstance(body.get("key"), str) and NAME.fullmatch(body["key"]):
        body["key"] = f"{body['key'][:40]}_{next(made)}"
    if isinstance(body.get("name"), str) and 0 < len(body["name"]) <= 50:
        body["name"] = f"{body['name'][:40]}_{next(made)}"
    if isinstance(body.get("model"), dict) and isinstance(body["model"].get("name"), str):
        body["model"] = {**body["model"], "name": "default"}
    if isinstance(body.get("first_step"), dict):
        body.pop("steps", None)
    if isinstance(body.get("tool_configurations"), dict):
        tools = {name: tool for name, tool in body["tool_configurations"].items() if NAME.fullmatch(name)}
        body["tool_configurations"] = {
            name: {**tool, "tool_id": TOOL} if isinstance(tool, dict) and "tool_id" in tool else tool for name, tool in tools.items()
        }
    return body


def test_the_served_document_is_the_stored_one_and_valid(address):
    served = json.load(urllib.request.urlopen(address + "/v2/openapi.json"))
    assert served == json.loads(GOLDEN.read_text())
    validate(served)


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    # The same requests each time, unless somebody looks for longer.
    derandomize="WARDIAN_FUZZ_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_answer_is_one_that_the_document_describes(case, things):
    headers = {"x-api-key": KEY} if case.operation.definition.raw.get("security") else {}
    case.call_and_validate(base_url=things, headers=headers, excluded_checks=LEFT_OUT, timeout=60)
