"""Refusals: each is the class that the SDK has for it, with a body that it reads."""

import pytest
from vectara.core.api_error import ApiError
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.forbidden_error import ForbiddenError
from vectara.errors.not_found_error import NotFoundError
from vectara.errors.unprocessable_entity_error import UnprocessableEntityError
from vectara.types.agent_model import AgentModel

from conftest import KEY
from words import ONCE, QUESTION, SUPPORT, Input, StreamInput, Tool, kinds, say


def test_a_bad_request_names_the_field(client, session):
    with pytest.raises(BadRequestError) as empty:
        client.agent_events.create(SUPPORT, session, request=Input(messages=[]))
    assert "messages" in empty.value.body["field_errors"] and empty.value.body["request_id"]
    with pytest.raises(BadRequestError) as stream:
        list(client.agent_events.create_stream(SUPPORT, session, request=say("", StreamInput)))
    assert stream.value.body["code"] == "invalid_message_content"
    with pytest.raises(BadRequestError) as model:
        client.agents.create(name="x", tool_configurations={}, model=AgentModel(name="gpt-0"), first_step={"name": "a"})
    assert model.value.body["code"] == "invalid_model_configuration"
    with pytest.raises(BadRequestError) as tool:
        client.agents.create(name="x", tool_configurations={"a": Tool(tool_id="tol_no")}, model=AgentModel(name="default"), first_step={"name": "a"})
    assert tool.value.body["code"] == "invalid_tool_reference"
    for limit in (0, 101):
        with pytest.raises(ApiError) as bad:
            client.agent_events.list(SUPPORT, session, limit=limit)
        assert bad.value.status_code == 400 and "limit" in bad.value.body["field_errors"]


def test_what_is_not_there_says_what_it_is(client, session):
    asked = {
        "agent_not_found": lambda: client.agent_sessions.create("agt_nope"),
        "session_not_found": lambda: client.agent_events.create(SUPPORT, "ase_nope", request=say(QUESTION)),
        "event_not_found": lambda: client.agent_events.get(SUPPORT, session, "aev_nope"),
        "tool_not_found": lambda: client.tools.get("tol_nope"),
    }
    for code, call in asked.items():
        with pytest.raises(NotFoundError) as missing:
            call()
        assert missing.value.body["code"] == code and missing.value.body["messages"] and missing.value.body["id"]


def test_a_conflict_leaves_what_is_there(client, session, agent):
    taken = agent("Taken", key="sdk_taken").key
    for members in ({"key": taken, "name": "Other"}, {"name": "Taken"}):
        with pytest.raises(ApiError) as conflict:
            step = {"name": "a", "instructions": [], "output_parser": {"type": "default"}}
            client.agents.create(tool_configurations={}, model=AgentModel(name="default"), first_step=step, request_options=ONCE, **members)
        assert conflict.value.status_code == 409 and conflict.value.body["messages"]
    with pytest.raises(ApiError) as conflict:
        client.agent_sessions.create(SUPPORT, key=session, request_options=ONCE)
    assert conflict.value.status_code == 409


def test_a_reference_to_nothing_is_unprocessable_and_leaves_nothing(client, agent):
    tool = Tool(tool_id="tol_json_json_query", argument_override={"query": {"$ref": "session.metadata.nothing"}})
    key = agent("Refers", tool_configurations={"first": tool}).key
    session = client.agent_sessions.create(key).key
    with pytest.raises(UnprocessableEntityError) as refused:
        client.agent_events.create(key, session, request=say("Afterwards"))
    assert refused.value.body.messages and not list(client.agent_events.list(key, session))


def test_a_model_that_fails_is_a_500_and_the_session_goes_on(client, agent):
    key = agent("Fails").key
    session = client.agent_sessions.create(key).key
    with pytest.raises(ApiError) as failed:
        client.agent_events.create(key, session, request=say("Now fail."), request_options=ONCE)
    assert failed.value.status_code == 500 and failed.value.body["code"] == "agent_processing_failed"
    assert kinds(client.agent_events.create(key, session, request=say("And afterwards?")).events)[-1] == "agent_output"


def test_a_key_that_is_not_known_or_may_not_is_told_apart(connect, ask):
    with pytest.raises(ApiError) as unknown:
        connect(api_key="wrong").agents.get(SUPPORT)
    assert unknown.value.status_code == 401 and unknown.value.body["code"] == "unauthorized"
    made = ask("/operator/v1/keys", {"role": "agent_user"})
    user = connect(api_key=made["key"])
    session = user.agent_sessions.create(SUPPORT)
    assert kinds(user.agent_events.create(SUPPORT, session.key, request=say(QUESTION)).events)[-1] == "agent_output"
    assert SUPPORT in [each.key for each in user.agents.list()]
    refusals = [
        lambda: user.agents.get(SUPPORT),
        lambda: user.agent_sessions.list(SUPPORT),
        lambda: user.agent_events.list(SUPPORT, session.key),
        lambda: user.agents.delete(SUPPORT),
        lambda: user.tools.list(),
    ]
    for call in refusals:
        with pytest.raises(ForbiddenError) as refused:
            call()
        assert refused.value.body.messages
    ask(f"/operator/v1/keys/{made['id']}", method="DELETE")


def test_the_client_comes_in_with_an_id_and_a_secret_too(connect, ask):
    key = ask("/operator/v1/keys", {"role": "agent_viewer"})
    client = connect(client_id=key["id"], client_secret=key["key"])
    assert SUPPORT in [each.key for each in client.agents.list()]
    with pytest.raises(ForbiddenError):
        client.agents.delete(SUPPORT)
    ask(f"/operator/v1/keys/{key['id']}", method="DELETE")
    for revoked in (client, connect(client_id=key["id"], client_secret=key["key"])):
        with pytest.raises(ApiError) as refused:
            revoked.agents.get(SUPPORT)
        assert refused.value.status_code == 401


def test_a_key_of_certain_agents_reaches_no_other(connect, ask):
    made = ask("/operator/v1/keys", {"role": "agent_administrator", "agents": ["assistant"]})
    limited = connect(api_key=made["key"])
    limited.agent_sessions.delete("assistant", limited.agent_sessions.create("assistant").key)
    for call in (lambda: limited.agent_sessions.create(SUPPORT), lambda: limited.agent_events.list(SUPPORT, "any")):
        with pytest.raises((ForbiddenError, NotFoundError)):
            call()
    ask(f"/operator/v1/keys/{made['id']}", method="DELETE")


def test_too_many_requests_are_told_when_to_come_back(connect, impatient):
    client = connect(to=impatient, api_key=KEY)
    with pytest.raises(ApiError) as limited:
        for _ in range(10):
            client.agents.get(SUPPORT, request_options=ONCE)
    assert limited.value.status_code == 429 and limited.value.body["code"] == "rate_limit_exceeded"
    assert int(limited.value.headers["retry-after"]) >= 1
