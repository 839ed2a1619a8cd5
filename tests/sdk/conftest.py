"""A server of our own, and both of the SDK's clients to drive it with."""

import asyncio
import contextlib
import inspect
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request

import httpx
import pytest
from vectara import AsyncVectara, Vectara
from vectara.environment import VectaraEnvironment
from vectara.types.agent_model import AgentModel
from vectara.types.first_agent_step import FirstAgentStep

KEY = "wardian-sdk-test-key-0123456789abcdef"
HERE = pathlib.Path(__file__).parent

# The offline model answers for most tests; `script` says word for word what replies.toml holds.
CONFIGURATION = f"""
data = "data"
[server]
rate = "6000/min"
[models.default]
provider = "offline"
[models.script]
provider = "scripted"
script = "{HERE / "replies.toml"}"
[plugin.calculator]
approve = "always"
approver = "client"
"""


@contextlib.contextmanager
def serving(home, configuration):
    """A server with this configuration, for as long as somebody needs its address."""
    (home / "wardian.toml").write_text(configuration)
    binary = pathlib.Path(os.environ["WARDIAN_BINARY"])
    log = open(home / "log", "w+")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "WARDIAN_OWNER_KEY": KEY}
    arguments = [binary, "serve", "--config", "wardian.toml", "--listen", "127.0.0.1:0"]
    server = subprocess.Popen(arguments, cwd=home, env=environment, stdout=log, stderr=log)
    try:
        yield wait_until_ready(server, home / "log")
    finally:
        server.terminate()
        server.wait(30)
        log.close()


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of the server that most tests share."""
    with serving(tmp_path_factory.mktemp("server"), CONFIGURATION) as found:
        yield found


@pytest.fixture(scope="session")
def impatient(tmp_path_factory):
    """The address of a server that takes three requests of a key at once, and then one in twenty seconds."""
    strict = CONFIGURATION.replace("6000/min", "3/min")
    with serving(tmp_path_factory.mktemp("impatient"), strict) as found:
        yield found


def wait_until_ready(server, log):
    for _ in range(6000):
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            try:
                with urllib.request.urlopen(found.group(0) + "/readyz") as ready:
                    if ready.status == 200:
                        return found.group(0)
            except OSError:
                pass
        assert server.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError("the server is not ready:\n" + log.read_text())


class Awaited:
    """The asynchronous client, called like the other one: each call runs to its end on one loop."""

    def __init__(self, part, runner):
        self._part, self._runner = part, runner

    def __getattr__(self, name):
        found = getattr(self._part, name)
        return self._called(found) if callable(found) else Awaited(found, self._runner)

    def _called(self, method):
        def call(*arguments, **named):
            answer = method(*arguments, **named)
            answer = self._wait(answer) if inspect.isawaitable(answer) else answer
            return self._each(answer) if hasattr(answer, "__aiter__") else answer

        return call

    def _wait(self, awaitable):
        async def whole():
            return await awaitable

        return self._runner.run(whole())

    def _each(self, items):
        items = items.__aiter__()
        try:
            while True:
                yield self._wait(items.__anext__())
        except StopAsyncIteration:
            pass
        finally:
            self._wait(items.aclose())


@pytest.fixture(params=["sync", "async"])
def connect(request, address):
    """Makes a client of the kind under test from the credentials that it is given."""

    def there(address):
        return VectaraEnvironment(default=address, auth=address)

    if request.param == "sync":
        with httpx.Client(timeout=60) as http:
            yield lambda to=address, **who: Vectara(**who, environment=there(to), httpx_client=http)
    else:
        with asyncio.Runner() as runner:
            http = httpx.AsyncClient(timeout=60)
            yield lambda to=address, **who: Awaited(AsyncVectara(**who, environment=there(to), httpx_client=http), runner)
            runner.run(http.aclose())


@pytest.fixture
def client(connect):
    """The owner's client: synchronous in one run of each test, asynchronous in the other."""
    return connect(api_key=KEY)


@pytest.fixture(autouse=True)
def nothing_is_dropped(caplog):
    """The SDK drops a frame that it cannot read, and only a line of its log tells."""
    yield
    said = caplog.get_records("call")
    assert not [record.getMessage() for record in said if record.levelname in ("WARNING", "ERROR")]


@pytest.fixture
def ask(address):
    """Sends a request that the SDK has no method for."""

    def send(path, body=None, method=None, key=KEY):
        headers = {"x-api-key": key, "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read() or "null")

    return send


@pytest.fixture
def agent(client):
    """Makes agents that are gone after the test, their sessions with them."""
    made = []

    def make(name, model="script", **members):
        members.setdefault("first_step", FirstAgentStep(name="main", instructions=[], output_parser={"type": "default"}))
        members.setdefault("tool_configurations", {})
        found = client.agents.create(name=name, model=AgentModel(name=model), **members)
        made.append(found.key)
        return found

    yield make
    for key in made:
        client.agents.delete(key)


@pytest.fixture
def session(client):
    """A session with the shipped support agent."""
    made = client.agent_sessions.create("agt_customer_support", name="Support")
    yield made.key
    client.agent_sessions.delete("agt_customer_support", made.key)
