"""Tools: the plugins', and those that the client runs itself."""

import pytest
from vectara.core.api_error import ApiError
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.not_found_error import NotFoundError
from vectara.types.create_tool_request import CreateToolRequest_Lambda as Lambda
from vectara.types.update_tool_request import UpdateToolRequest_Lambda, UpdateToolRequest_Mcp

from words import ONCE, StreamInput, Tool, ids, kinds, say

SCHEMA = {"type": "object", "properties": {"accuracy": {"type": "integer"}}}


@pytest.fixture
def where(client):
    """A client tool; the SDK has no type for its request, and sends what it is given."""
    tool = {"type": "client", "name": "get_location", "description": "Where the user is.", "input_schema": SCHEMA}
    made = client.tools.create(request=tool)
    yield made
    client.tools.delete(made.id)
    with pytest.raises(NotFoundError):
        client.tools.get(made.id)


def test_every_tool_is_listed_in_a_form_that_the_sdk_reads(client, where):
    tools = {tool.id: tool for tool in client.tools.list(limit=2)}
    assert {"tol_knowledge_knowledge_base_search", "tol_calculator_calculate", where.id} <= set(tools)
    assert {tool.type for tool in tools.values()} == {"dynamic_vectara"}
    assert ids(client.tools.list()) == list(tools)
    one = client.tools.get("tol_calculator_calculate")
    assert one == tools["tol_calculator_calculate"]
    assert one.name == "calculate" and one.enabled is True and one.input_schema["type"] == "object"
    assert ids(client.tools.list(filter="^get_loc")) == [where.id]
    assert ids(client.tools.list(category="client")) == [where.id]
    assert where.id in ids(client.tools.list(category=["client", "plugin"], limit=1))
    assert where.id in ids(client.tools.list(enabled=True)) and not list(client.tools.list(type="mcp"))


def test_a_client_tool_is_changed_and_kept_while_an_agent_binds_it(client, where, agent):
    assert (where.name, where.input_schema) == ("get_location", SCHEMA)
    assert client.tools.update(where.id, request=UpdateToolRequest_Lambda(title="Here")).title == "Here"
    assert client.tools.update(where.id, request=UpdateToolRequest_Mcp(enabled=False)).enabled is False
    assert client.tools.update(where.id, request={"type": "client", "enabled": True}).title == "Here"
    key = agent("Binds", tool_configurations={"where": Tool(tool_id=where.id)}).key
    with pytest.raises(ApiError) as used:
        client.tools.delete(where.id, request_options=ONCE)
    assert used.value.status_code == 409 and used.value.body["agents"] == [key]
    client.agents.update(key, tool_configurations={"where": None})


def test_the_client_runs_its_tool_and_the_turn_goes_on(client, where, agent, ask):
    # Bound by its own type, which the SDK does not know: it is shown as one that it does.
    made = agent("Mobile", tool_configurations={"where": {"type": "client", "tool_id": where.id}})
    listed = {each.key: each for each in client.agents.list()}[made.key]
    for shown in (made, listed, client.agents.get(made.key), client.agents.update(made.key, description="d")):
        assert (shown.tool_configurations["where"].type, shown.tool_configurations["where"].tool_id) == ("dynamic_vectara", where.id)

    session = client.agent_sessions.create(made.key).key
    frames = list(client.agent_events.create_stream(made.key, session, request=say("Locate me.", StreamInput)))
    assert kinds(frames)[-1] == "end" and "tool_input" in kinds(frames)
    assert client.agent_sessions.get(made.key, session).status == "stopped"
    assert kinds(client.agent_events.list(made.key, session)) == ["input_message", "tool_input"]
    path = f"/v2/agents/{made.key}/sessions/{session}/outstanding_client_tool_calls"
    (call,) = ask(path)["client_tool_calls"]
    assert call["arguments"] == {"accuracy": 5}
    output = {"type": "success", "event_id": call["event_id"], "output": {"lat": 59.91}}
    answer = client.agent_events.create(made.key, session, request={"type": "tool_output", "tool_outputs": [output]})
    assert kinds(answer.events) == ["tool_output", "agent_output"] and answer.events[0].tool_output == {"lat": 59.91}
    assert kinds(client.agent_events.list(made.key, session, limit=1)) == ["input_message", "tool_input", "tool_output", "agent_output"]
    assert not ask(path)["client_tool_calls"]
    client.agents.update(made.key, tool_configurations={"where": None})


def test_a_call_that_waits_for_approval_is_one_that_the_sdk_reads(client, ask):
    session = client.agent_sessions.create("assistant").key
    answer = client.agent_events.create("assistant", session, request=say('/calculate {"expression": "6*7"}'))
    assert answer.events[-1].type == "tool_input"
    (waiting,) = ask(f"/v2/agents/assistant/sessions/{session}/outstanding_approvals")["approvals"]
    assert waiting["event_id"] == answer.events[-1].id
    decision = {"event_id": waiting["event_id"], "decision": "approve"}
    answer = client.agent_events.create("assistant", session, request={"type": "tool_approval", "decisions": [decision]})
    assert "42" in str(answer.events[0].tool_output) and answer.events[-1].type == "agent_output"
    assert kinds(client.agent_events.list("assistant", session))[-1] == "agent_output"
    client.agent_sessions.delete("assistant", session)


def test_a_lambda_tool_is_refused_with_the_way_to_go(client):
    with pytest.raises(BadRequestError) as refused:
        client.tools.create(request=Lambda(name="x", title="X", description="x", code="def process(): return {}"))
    assert "plugins" in str(refused.value.body)
