"""The official Python SDK against the real server: it creates, talks, streams and lists."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.request
import warnings

import pytest
from vectara import AsyncVectara, Vectara
from vectara.agent_events.types.create_agent_events_request_body import (
    CreateAgentEventsRequestBody_InputMessage as Input,
)
from vectara.agent_events.types.create_agent_events_request_body import (
    CreateAgentEventsRequestBody_Interrupt as Interrupt,
)
from vectara.agent_events.types.create_agent_events_stream_request_body import (
    CreateAgentEventsStreamRequestBody_InputMessage as StreamInput,
)
from vectara.agent_sessions.types.create_agent_session_request_from_session import (
    CreateAgentSessionRequestFromSession as From,
)
from vectara.core.api_error import ApiError
from vectara.environment import VectaraEnvironment
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.not_found_error import NotFoundError
from vectara.types.agent_model import AgentModel
from vectara.types.first_agent_step import FirstAgentStep
from vectara.types.agent_tool_configuration import AgentToolConfiguration_DynamicVectara as Tool
from vectara.types.create_tool_request import CreateToolRequest_Lambda
from vectara.types.update_tool_request import UpdateToolRequest_Lambda

KEY = "wardian-sdk-test-key-0123456789abcdef"
QUESTION = "I'm having trouble with my widget installation."
CONVERSATION = ["input_message", "thinking", "tool_input", "tool_output", "agent_output"]


@pytest.fixture(scope="session")
def address(tmp_path_factory):
    """The address of a server of our own, with the offline model."""
    home = tmp_path_factory.mktemp("server")
    (home / "wardian.toml").write_text('data = "data"\n[models.default]\nprovider = "offline"\n[plugin.calculator]\napprove = "always"\napprover = "client"\n')
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


def wait_until_ready(server, log):
    for _ in range(1800):
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


def environment(address):
    return VectaraEnvironment(default=address, auth=address)


@pytest.fixture
def client(address):
    return Vectara(api_key=KEY, environment=environment(address))


@pytest.fixture
def session(client):
    made = client.agent_sessions.create("agt_customer_support", name="Support")
    yield made.key
    client.agent_sessions.delete("agt_customer_support", made.key)


def say(text, kind=Input):
    return kind(messages=[{"type": "text", "content": text}])


def test_a_conversation_as_json(client, session):
    answer = client.agent_events.create("agt_customer_support", session, request=say(QUESTION))
    assert [event.type for event in answer.events] == CONVERSATION
    assert answer.session_key == session
    output = answer.events[3]
    assert output.error is False
    assert "Widget Installation Guide" in output.tool_output["results"][0]["title"]
    listed = list(client.agent_events.list("agt_customer_support", session))
    assert [event.id for event in listed] == [event.id for event in answer.events]
    paged = list(client.agent_events.list("agt_customer_support", session, limit=2))
    assert [event.id for event in paged] == [event.id for event in listed]
    one = client.agent_events.get("agt_customer_support", session, listed[4].id)
    assert one.content == answer.events[4].content


def test_a_conversation_as_a_stream_drops_no_frame(client, session, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = list(client.agent_events.create_stream("agt_customer_support", session, request=say(QUESTION, StreamInput)))
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
    kinds = [frame.type for frame in frames]
    assert kinds[0] == "input_message" and kinds[-1] == "end"
    assert "tool_input" in kinds and "tool_output" in kinds and "streaming_thinking_end" in kinds
    text = "".join(frame.content for frame in frames if frame.type == "streaming_agent_output")
    end = next(frame for frame in frames if frame.type == "streaming_agent_output_end")
    stored = client.agent_events.get("agt_customer_support", session, end.event_id)
    assert stored.content == text


def test_an_answer_that_waits_for_approval_is_one_that_the_sdk_reads(client, address):
    made = client.agent_sessions.create("assistant")
    answer = client.agent_events.create("assistant", made.key, request=say('/calculate {"expression": "6*7"}'))
    assert answer.events[-1].type == "tool_input"
    assert client.agent_sessions.get("assistant", made.key).status != "running"
    path = f"{address}/v2/agents/assistant/sessions/{made.key}"
    headers = {"x-api-key": KEY, "content-type": "application/json"}

    def ask(path, body=None):
        request = urllib.request.Request(path, data=body and json.dumps(body).encode(), headers=headers)
        return json.load(urllib.request.urlopen(request))

    waiting = ask(f"{path}/outstanding_approvals")["approvals"]
    assert [approval["event_id"] for approval in waiting] == [answer.events[-1].id]
    decision = {"event_id": waiting[0]["event_id"], "decision": "approve"}
    assert "tool_output" in [event["type"] for event in ask(f"{path}/events", {"type": "tool_approval", "decisions": [decision]})["events"]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listed = list(client.agent_events.list("assistant", made.key))
    assert "42" in str(next(event.tool_output for event in listed if event.type == "tool_output"))
    assert listed[-1].type == "agent_output"
    client.agent_sessions.delete("assistant", made.key)


def test_the_asynchronous_client_does_the_same(address):
    async def talk():
        client = AsyncVectara(api_key=KEY, environment=environment(address))
        made = await client.agent_sessions.create("agt_customer_support")
        frames = []
        async for frame in client.agent_events.create_stream("agt_customer_support", made.key, request=say(QUESTION, StreamInput)):
            frames.append(frame.type)
        pager = await client.agent_events.list("agt_customer_support", made.key)
        listed = [event.type async for event in pager]
        await client.agent_sessions.delete("agt_customer_support", made.key)
        return frames, listed

    frames, listed = asyncio.run(talk())
    assert frames[0] == "input_message" and frames[-1] == "end"
    assert listed == CONVERSATION


def test_agents_are_created_listed_changed_replaced_and_deleted(client):
    calc = Tool(tool_id="tol_calculator_calculate")
    step = FirstAgentStep(name="main", instructions=[], output_parser={"type": "default"})
    model = AgentModel(name="default")
    made = client.agents.create(name="From the SDK", tool_configurations={"calc": calc}, model=model, first_step=step)
    try:
        assert made.key.startswith("agt_from_the_sdk_")
        assert made.tool_configurations["calc"].tool_id == "tol_calculator_calculate"
        assert made.key in [agent.key for agent in client.agents.list(limit=1)]
        assert client.agents.update(made.key, description="d").description == "d"
        assert client.agents.get(made.key).description == "d"
        replaced = client.agents.replace(made.key, name="Another", tool_configurations={}, model=model, first_step=step)
        assert replaced.tool_configurations == {} and replaced.key == made.key
    finally:
        client.agents.delete(made.key)
    with pytest.raises(NotFoundError):
        client.agents.get(made.key)


def test_sessions_are_listed_and_changed(client, session):
    assert session in [each.key for each in client.agent_sessions.list("agt_customer_support")]
    changed = client.agent_sessions.update("agt_customer_support", session, name="New", metadata={"a": 1})
    assert (changed.name, changed.metadata) == ("New", {"a": 1})
    assert client.agent_sessions.get("agt_customer_support", session).enabled is True


def test_every_tool_is_listed_in_a_form_that_the_sdk_reads(client):
    tools = {tool.id: tool for tool in client.tools.list(limit=2)}
    assert "tol_knowledge_knowledge_base_search" in tools
    one = client.tools.get("tol_calculator_calculate")
    assert one.name == "calculate" and one.input_schema["type"] == "object"


@pytest.fixture
def ask(address):
    """Requests that the SDK has no words for."""

    def send(path, body=None):
        headers = {"x-api-key": KEY, "content-type": "application/json"}
        request = urllib.request.Request(address + path, data=body and json.dumps(body).encode(), headers=headers)
        return json.load(urllib.request.urlopen(request))

    return send


def test_a_client_tool_and_the_agent_that_binds_it_are_ones_that_the_sdk_reads(client, ask):
    schema = {"type": "object", "properties": {"accuracy": {"type": "integer"}}}
    tool = ask("/v2/tools", {"name": "get_location", "description": "Where the user is.", "input_schema": schema})["id"]
    step = FirstAgentStep(name="main", instructions=[], output_parser={"type": "default"})
    made = client.agents.create(name="Mobile", tool_configurations={"where": Tool(tool_id=tool)}, model=AgentModel(name="default"), first_step=step)
    try:
        assert {each.id: each for each in client.tools.list(limit=2)}[tool].type == "dynamic_vectara"
        assert client.tools.update(tool, request=UpdateToolRequest_Lambda(title="Here")).title == "Here"
        assert client.tools.get(tool).input_schema == schema
        listed = {agent.key: agent for agent in client.agents.list()}[made.key]
        for agent in (made, listed, client.agents.get(made.key), client.agents.update(made.key, description="d")):
            assert agent.tool_configurations["where"].tool_id == tool
        with pytest.raises(ApiError) as used:
            client.tools.delete(tool, request_options={"max_retries": 0})
        assert used.value.status_code == 409 and used.value.body["agents"] == [made.key]

        session = client.agent_sessions.create(made.key)
        answer = client.agent_events.create(made.key, session.key, request=say('/where {"accuracy": 5}'))
        assert [event.type for event in answer.events][-1] == "tool_input"
        path = f"/v2/agents/{made.key}/sessions/{session.key}"
        waiting = ask(f"{path}/outstanding_client_tool_calls")["client_tool_calls"]
        assert [call["event_id"] for call in waiting] == [answer.events[-1].id]
        output = {"event_id": waiting[0]["event_id"], "output": {"lat": 59.91}}
        ask(f"{path}/events", {"type": "tool_output", "tool_outputs": [output]})
        events = list(client.agent_events.list(made.key, session.key))
        assert next(event for event in events if event.type == "tool_output").tool_output == {"lat": 59.91}
        assert events[-1].type == "agent_output"
    finally:
        client.agents.delete(made.key)
    client.tools.delete(tool)
    with pytest.raises(NotFoundError):
        client.tools.get(tool)


def test_a_lambda_tool_is_refused_with_the_way_to_go(client):
    with pytest.raises(ApiError) as refused:
        client.tools.create(request=CreateToolRequest_Lambda(name="x", title="X", description="x", code="def process(): return {}"))
    assert refused.value.status_code == 400 and "plugins" in str(refused.value.body)


def test_events_are_hidden_shown_and_deleted(client, session):
    key = "agt_customer_support"
    answer = client.agent_events.create(key, session, request=say(QUESTION))
    ids = [event.id for event in answer.events]

    def listed(**more):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return [event.id for event in client.agent_events.list(key, session, **more)]

    hidden = client.agent_events.hide(key, session, ids[1])
    assert (hidden.id, hidden.type) == (ids[1], "thinking")
    assert listed() == ids[:1] + ids[2:] and listed(include_hidden=True, limit=2) == ids
    assert client.agent_events.unhide(key, session, ids[1]).id == ids[1]
    assert listed() == ids
    client.agent_events.delete(key, session, ids[1])
    assert listed(include_hidden=True) == ids[:1] + ids[2:]
    with pytest.raises(NotFoundError):
        client.agent_events.get(key, session, ids[1])
    client.agent_events.create(key, session, request=say("Thank you."))


def test_a_session_begins_with_the_past_of_another(client, session):
    key = "agt_customer_support"
    answer = client.agent_events.create(key, session, request=say(QUESTION))
    assert client.agent_sessions.get(key, session).effective_compaction.threshold_percent == 80
    copies = {
        "whole": From(session_key=session),
        "part": From(session_key=session, agent_key=key, include_up_to_event_id=answer.events[3].id),
        "short": From(session_key=session, compact_up_to_event_id=answer.events[4].id),
    }
    kinds = {}
    for name, past in copies.items():
        made = client.agent_sessions.create(key, name=name, from_session=past)
        kinds[name] = [event.type for event in client.agent_events.list(key, made.key)]
        client.agent_events.create(key, made.key, request=say("And then?"))
        client.agent_sessions.delete(key, made.key)
    assert kinds == {"whole": CONVERSATION, "part": CONVERSATION[:4], "short": ["compaction"]}
    with pytest.raises(BadRequestError):
        ids = {"include_up_to_event_id": answer.events[0].id, "compact_up_to_event_id": answer.events[0].id}
        client.agent_sessions.create(key, from_session=From(session_key=session, **ids))
    with pytest.raises(NotFoundError):
        client.agent_sessions.create(key, from_session=From(session_key="ase_nope"))


def test_errors_are_the_sdks_own(client, session, address):
    with pytest.raises(NotFoundError) as missing:
        client.agent_sessions.get("agt_customer_support", "ase_nope")
    assert missing.value.body["messages"] and missing.value.body["code"] == "session_not_found"
    with pytest.raises(ApiError) as idle:
        client.agent_events.create("agt_customer_support", session, request=Interrupt())
    assert idle.value.status_code == 400
    stranger = Vectara(api_key="wrong", environment=environment(address))
    with pytest.raises(ApiError) as refused:
        stranger.agents.get("agt_customer_support")
    assert refused.value.status_code == 401


def test_the_client_comes_in_with_an_id_and_a_secret_too(address):
    def operate(method, path, body=None):
        headers = {"x-api-key": KEY, "content-type": "application/json"}
        request = urllib.request.Request(address + path, data=body and json.dumps(body).encode(), headers=headers, method=method)
        return urllib.request.urlopen(request).read()

    key = json.loads(operate("POST", "/operator/v1/keys", {"role": "agent_viewer"}))
    client = Vectara(client_id=key["id"], client_secret=key["key"], environment=environment(address))
    assert "agt_customer_support" in [agent.key for agent in client.agents.list()]
    with pytest.raises(ApiError) as lower:
        client.agents.delete("agt_customer_support")
    assert lower.value.status_code == 403

    async def keys():
        client = AsyncVectara(client_id=key["id"], client_secret=key["key"], environment=environment(address))
        return [agent.key async for agent in await client.agents.list()]

    assert "agt_customer_support" in asyncio.run(keys())
    operate("DELETE", f"/operator/v1/keys/{key['id']}")
    with pytest.raises(ApiError) as revoked:
        client.agents.get("agt_customer_support")
    assert revoked.value.status_code == 401
    with pytest.raises(ApiError) as unknown:
        Vectara(client_id=key["id"], client_secret=key["key"], environment=environment(address)).agents.get("agt_customer_support")
    assert unknown.value.status_code == 401


def test_an_agent_with_a_form_is_made_changed_and_asked(client):
    from vectara.types.agent_output_parser import AgentOutputParser_Structured as Structured

    schema = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
    parser = Structured(json_schema={"name": "city", "schema": schema})
    made = client.agents.create(
        name="Form",
        tool_configurations={},
        model=AgentModel(name="default"),
        first_step=FirstAgentStep(name="main", instructions=[], output_parser=parser),
    )
    try:
        assert made.first_step.output_parser.type == "structured"
        client.agents.update(made.key, description="d")
        changed = client.agents.update(made.key, description=None, metadata={"a": 1})
        assert changed.description is None and changed.metadata == {"a": 1}
        assert changed.first_step.output_parser.json_schema.name == "city"
        session = client.agent_sessions.create(made.key)
        answer = client.agent_events.create(made.key, session.key, request=say("Where?"))
        assert answer.events[-1].type == "structured_output" and "city" in answer.events[-1].content
    finally:
        client.agents.delete(made.key)


def test_an_identity_is_read_and_changed(client):
    before = client.agents.get_identity("assistant")
    assert before.mode == "auto" and before.api_roles == [] and before.corpus_roles == [] and before.agent_roles == []
    changed = client.agents.update_identity("assistant", mode="manual", api_roles=["agent_viewer"])
    assert changed.mode == "manual" and changed.api_roles == ["agent_viewer"]
    client.agents.update_identity("assistant", mode="manual", api_roles=[])
    assert client.agents.update_identity("assistant", mode="auto").mode == "auto"
