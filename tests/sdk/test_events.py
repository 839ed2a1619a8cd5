"""Events: said, listed, read, hidden, deleted, summarised."""

import pytest
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.not_found_error import NotFoundError
from vectara.errors.unprocessable_entity_error import UnprocessableEntityError

from words import CONVERSATION, QUESTION, SUPPORT, Compact, Tool, ids, kinds, say


def test_a_conversation_as_json(client, session):
    answer = client.agent_events.create(SUPPORT, session, request=say(QUESTION))
    assert kinds(answer.events) == CONVERSATION and answer.session_key == session
    called, output = answer.events[2:4]
    assert called.tool_call_id == output.tool_call_id and output.error is False
    assert (called.tool_configuration_name, called.tool_name) == ("knowledge_search", "knowledge_base_search")
    assert "Widget Installation Guide" in output.tool_output["results"][0]["title"]
    listed = list(client.agent_events.list(SUPPORT, session))
    assert listed == answer.events
    assert list(client.agent_events.list(SUPPORT, session, limit=2)) == listed
    for event in listed:
        assert client.agent_events.get(SUPPORT, session, event.id) == event


def test_tools_that_run_side_by_side_are_paired_and_a_failure_is_an_output(client, agent):
    tool = Tool(tool_id="tol_json_json_query")
    key = agent("Pair", tool_configurations={"first": tool, "second": tool}).key
    session = client.agent_sessions.create(key).key
    answer = client.agent_events.create(key, session, request=say("Read both."))
    assert kinds(answer.events) == ["input_message", "thinking", "tool_input", "tool_input", "tool_output", "tool_output", "agent_output"]
    outputs = {event.tool_configuration_name: event for event in answer.events if event.type == "tool_output"}
    assert outputs["first"].error is False and outputs["first"].tool_output["results"] == [1]
    assert outputs["second"].error is True and outputs["second"].tool_output["error"]["reason"]
    calls = {event.tool_call_id for event in answer.events if event.type == "tool_input"}
    assert calls == {event.tool_call_id for event in outputs.values()} and len(calls) == 2
    usage = client.agent_sessions.get(key, session).session_context_usage
    assert (usage.input_tokens.count, usage.input_tokens.cached_tokens, usage.total_tokens) == (80, 40, 85)


def test_events_are_hidden_shown_and_deleted(client, session):
    made = ids(client.agent_events.create(SUPPORT, session, request=say(QUESTION)).events)

    def listed(**more):
        return ids(client.agent_events.list(SUPPORT, session, **more))

    hidden = client.agent_events.hide(SUPPORT, session, made[1])
    assert (hidden.id, hidden.type) == (made[1], "thinking")
    assert listed() == listed(limit=1) == made[:1] + made[2:]
    assert listed(include_hidden=True, limit=2) == made
    assert client.agent_events.unhide(SUPPORT, session, made[1]).id == made[1]
    assert listed() == made
    client.agent_events.delete(SUPPORT, session, made[1])
    assert listed(include_hidden=True) == made[:1] + made[2:]
    with pytest.raises(NotFoundError) as gone:
        client.agent_events.get(SUPPORT, session, made[1])
    assert gone.value.body["code"] == "event_not_found"
    client.agent_events.create(SUPPORT, session, request=say("Thank you."))


def test_what_was_said_is_summarised_on_request(client, session):
    first = ids(client.agent_events.create(SUPPORT, session, request=say(QUESTION)).events)
    second = ids(client.agent_events.create(SUPPORT, session, request=say("Thank you.")).events)
    answer = client.agent_events.create(SUPPORT, session, request=Compact(compaction_message="Be brief."))
    done = answer.events[-1]
    assert done.type == "compaction" and done.summary_text and done.summary_key
    assert (done.turns_compacted, done.events_compacted) == (1, len(first))
    listed = list(client.agent_events.list(SUPPORT, session, limit=1))
    assert done.id in ids(listed) and not set(first) & set(ids(listed)) and set(second) <= set(ids(listed))
    everything = ids(client.agent_events.list(SUPPORT, session, include_hidden=True, limit=3))
    assert set(everything) == {*first, *second, done.id} and len(everything) == len(set(everything))
    assert client.agent_events.get(SUPPORT, session, done.id) == done
    again = client.agent_events.create(SUPPORT, session, request=Compact(compact_up_to_event_id=second[-1]))
    assert again.events[-1].turns_compacted == 1
    client.agent_events.create(SUPPORT, session, request=say("And then?"))


def test_nothing_to_summarise_is_a_bad_request(client, session):
    with pytest.raises(BadRequestError) as nothing:
        client.agent_events.create(SUPPORT, session, request=Compact())
    assert nothing.value.body["messages"]
    assert client.agent_sessions.get(SUPPORT, session).status == "unstarted"


def test_a_conversation_that_does_not_fit_ends_with_an_event_that_says_so(client, agent):
    key = agent("Overflow").key
    session = client.agent_sessions.create(key).key
    answer = client.agent_events.create(key, session, request=say("This is too much."))
    assert kinds(answer.events) == ["input_message", "context_limit_exceeded"] and answer.events[1].message
    assert set(kinds(client.agent_events.list(key, session))) <= {"input_message", "context_limit_exceeded"}


def test_an_input_without_a_type_and_one_with_unknown_members_are_taken(client, session):
    bare = client.agent_events.create(SUPPORT, session, request={"messages": [{"content": "Hello."}]})
    assert bare.events[0].messages[0].type == "text"
    answer = client.agent_events.create(SUPPORT, session, request=say("Hello again.", nobody_knows="this"))
    assert answer.events[-1].type == "agent_output"


def test_a_repeat_under_the_same_key_is_answered_without_another_turn(client, session):
    under = {"additional_headers": {"Idempotency-Key": "once"}}
    first = client.agent_events.create(SUPPORT, session, request=say(QUESTION), request_options=under)
    again = client.agent_events.create(SUPPORT, session, request=say(QUESTION), request_options=under)
    assert again.events == first.events == list(client.agent_events.list(SUPPORT, session))
    with pytest.raises(UnprocessableEntityError) as other:
        client.agent_events.create(SUPPORT, session, request=say("Something else."), request_options=under)
    assert other.value.body.messages
