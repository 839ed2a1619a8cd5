"""Sessions: opened, listed, changed, forked, deleted."""

import pytest
from vectara.agent_sessions.types.create_agent_session_request_from_session import (
    CreateAgentSessionRequestFromSession as From,
)
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.forbidden_error import ForbiddenError
from vectara.errors.not_found_error import NotFoundError

from words import CONVERSATION, ONCE, QUESTION, SUPPORT, kinds, say


def test_a_session_is_opened_with_nothing_or_with_everything(client):
    bare = client.agent_sessions.create(SUPPORT)
    assert bare.key.startswith("ase_") and bare.name and bare.enabled is True and bare.metadata == {}
    whole = {"name": "Whole", "description": "d", "metadata": {"plan": "gold"}, "enabled": True, "tti_minutes": 30}
    full = client.agent_sessions.create(SUPPORT, key="sdk_whole", **whole)
    assert (full.key, full.agent_key) == ("sdk_whole", SUPPORT)
    assert {name: getattr(full, name) for name in whole} == whole
    assert full.created_at.tzinfo is not None and full.status == "unstarted"
    assert client.agent_sessions.get(SUPPORT, full.key) == full
    for made in (bare, full):
        client.agent_sessions.delete(SUPPORT, made.key)
        with pytest.raises(NotFoundError) as gone:
            client.agent_sessions.get(SUPPORT, made.key)
        assert gone.value.body["code"] == "session_not_found"


def test_sessions_are_listed_page_by_page_and_filtered(client, agent):
    key = agent("Sessions").key
    plans = ["gold", "silver", "gold"]
    made = [client.agent_sessions.create(key, name=f"Visit {n}", metadata={"plan": plan}).key for n, plan in enumerate(plans)]
    assert [each.key for each in client.agent_sessions.list(key, limit=1)] == made
    assert [each.key for each in client.agent_sessions.list(key, filter="visit [01]|Visit [01]")] == made[:2]
    condition = {"additional_query_parameters": {"metadata_filter": "plan = 'gold'"}}
    assert [each.key for each in client.agent_sessions.list(key, limit=1, request_options=condition)] == made[::2]


def test_a_session_is_changed(client, session):
    changed = client.agent_sessions.update(SUPPORT, session, name="New", metadata={"a": 1}, tti_minutes=5)
    assert (changed.name, changed.metadata, changed.tti_minutes, changed.enabled) == ("New", {"a": 1}, 5, True)
    assert client.agent_sessions.update(SUPPORT, session, description="d").metadata == {"a": 1}
    assert client.agent_sessions.update(SUPPORT, session, enabled=False).enabled is False
    with pytest.raises(ForbiddenError) as refused:
        client.agent_events.create(SUPPORT, session, request=say(QUESTION))
    assert refused.value.body.messages
    assert client.agent_sessions.update(SUPPORT, session, enabled=True).enabled is True
    client.agent_events.create(SUPPORT, session, request=say(QUESTION))
    after = client.agent_sessions.get(SUPPORT, session)
    assert after.status == "stopped" and after.effective_compaction.threshold_percent == 80


def test_secrets_of_a_session_are_masked(client):
    with_secret = {"additional_body_parameters": {"secrets": {"token": "hush-hush"}}}
    made = client.agent_sessions.create(SUPPORT, name="Secret", request_options=with_secret)
    shown = client.agent_sessions.get(SUPPORT, made.key)
    assert made.secrets == shown.secrets == {"token": "****"}
    client.agent_sessions.delete(SUPPORT, made.key)


def test_a_session_begins_with_the_past_of_another(client, session):
    answer = client.agent_events.create(SUPPORT, session, request=say(QUESTION))
    copies = {
        "whole": From(session_key=session),
        "part": From(session_key=session, agent_key=SUPPORT, include_up_to_event_id=answer.events[3].id),
        "short": From(session_key=session, compact_up_to_event_id=answer.events[4].id),
    }
    found = {}
    for name, past in copies.items():
        made = client.agent_sessions.create(SUPPORT, name=name, from_session=past)
        found[name] = kinds(client.agent_events.list(SUPPORT, made.key))
        client.agent_events.create(SUPPORT, made.key, request=say("And then?"))
        client.agent_sessions.delete(SUPPORT, made.key)
    assert found == {"whole": CONVERSATION, "part": CONVERSATION[:4], "short": ["compaction"]}
    both = {"include_up_to_event_id": answer.events[0].id, "compact_up_to_event_id": answer.events[0].id}
    with pytest.raises(BadRequestError):
        client.agent_sessions.create(SUPPORT, from_session=From(session_key=session, **both), request_options=ONCE)
    with pytest.raises(NotFoundError):
        client.agent_sessions.create(SUPPORT, from_session=From(session_key="ase_nope"))
