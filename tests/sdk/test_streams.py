"""Streams, and what may be said while one runs."""

import pytest
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.conflict_error import ConflictError

from words import ONCE, QUESTION, SUPPORT, Interrupt, StreamCompact, StreamInput, StreamInterrupt, Tool, ids, kinds, say, text_of


@pytest.fixture
def talk(client, agent):
    """A session whose model is the script: posts there, and streams from there."""
    tool = Tool(tool_id="tol_json_json_query")
    key = agent("Talk", tool_configurations={"first": tool, "second": tool}).key
    session = client.agent_sessions.create(key).key

    class Talk:
        def stream(self, request):
            return client.agent_events.create_stream(key, session, request=request)

        def post(self, request, **options):
            return client.agent_events.create(key, session, request=request, request_options=options or None)

        def listed(self):
            return list(client.agent_events.list(key, session))

        def status(self):
            return client.agent_sessions.get(key, session).status

    return Talk()


def until(frames, kind):
    """Reads up to the first frame of a kind."""
    return next(frame for frame in frames if frame.type == kind)


def test_a_stream_has_each_frame_of_a_turn_and_ends(client, talk):
    frames = list(talk.stream(say("Read both.", StreamInput)))
    found = kinds(frames)
    assert found[0] == "input_message" and found[-1] == "end"
    assert found.count("tool_input") == found.count("tool_output") == found.count("context_consumed") == 2
    assert "streaming_thinking" in found and "streaming_thinking_end" in found
    assert text_of(frames) == "Both are read: \u00e9\u2028\U0001F331."
    listed = talk.listed()
    assert listed[-1].content == text_of(frames)
    assert until(frames, "streaming_agent_output_end").event_id == listed[-1].id
    stored = [frame.id for frame in frames if getattr(frame, "id", None)]
    assert set(stored) <= set(ids(listed))
    used = [frame.session_context_usage for frame in frames if frame.type == "context_consumed"]
    assert [(each.input_tokens.count, each.output_tokens.count, each.total_tokens) for each in used] == [(40, 10, 50), (80, 5, 85)]


def test_a_stream_of_a_form_comes_in_one_piece(client, agent):
    schema = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
    parser = {"type": "structured", "json_schema": {"name": "place", "schema": schema}}
    key = agent("Form", first_step={"name": "main", "instructions": [], "output_parser": parser}).key
    session = client.agent_sessions.create(key).key
    frames = list(client.agent_events.create_stream(key, session, request=say("Which city?", StreamInput)))
    assert until(frames, "structured_output").content == {"city": "Oslo"}
    assert frames[-1].type == "end" and not text_of(frames)


def test_an_interrupt_ends_a_turn_while_its_stream_runs(client, talk):
    frames = talk.stream(say("Go on for ever.", StreamInput))
    until(frames, "streaming_agent_output")
    assert talk.status() == "running"
    with pytest.raises(ConflictError) as busy:
        talk.post(say("And this?"), **ONCE)
    assert busy.value.body.messages
    answer = talk.post(Interrupt())
    assert answer.events[-1].type == "session_interrupted"
    rest = kinds(frames)
    assert "session_interrupted" in rest and rest[-1] == "end"
    assert talk.status() == "stopped" and set(kinds(talk.listed())) >= {"input_message"}
    with pytest.raises(BadRequestError) as idle:
        talk.post(Interrupt())
    assert idle.value.body["messages"]
    with pytest.raises(BadRequestError):
        list(talk.stream(StreamInterrupt()))


def test_a_second_input_waits_its_turn(client, talk):
    frames = talk.stream(say("Slowly, please.", StreamInput))
    asked = until(frames, "input_message")
    until(frames, "streaming_agent_output")
    answer = talk.post(say("And afterwards?", since=asked.id, behavior="follow_up"))
    assert kinds(answer.events) == ["agent_output", "input_message", "agent_output"]
    assert answer.events[-1].content == "And that is that."
    assert list(frames)[-1].type == "end"
    whole = talk.post(say("Afterwards again", since="start"))
    assert ids(whole.events) == ids(talk.listed())


def test_an_input_steers_the_turn_that_runs(client, talk):
    frames = talk.stream(say("Take your time.", StreamInput))
    until(frames, "streaming_agent_output")
    answer = talk.post(say("And afterwards?", since="start", behavior="steer"))
    assert kinds(answer.events) == ["input_message", "agent_output", "input_message", "agent_output"]
    rest = list(frames)
    assert rest[-1].type == "end" and text_of(rest).endswith("And that is that.")


def test_a_client_that_went_away_comes_back_to_the_same_turn(client, talk):
    frames = talk.stream(say("Slowly, please.", StreamInput))
    asked = until(frames, "input_message")
    until(frames, "streaming_agent_output")
    frames.close()
    again = list(talk.stream(StreamInput(messages=[], since=asked.id)))
    assert text_of(again) == "one two three four five six seven eight nine ten" and again[-1].type == "end"
    end = until(again, "streaming_agent_output_end").event_id
    assert kinds(talk.stream(StreamInput(messages=[], since=end))) == ["end"]
    assert kinds(talk.listed()) == ["input_message", "agent_output"]


def test_a_summary_is_made_in_a_stream(client, session):
    client.agent_events.create(SUPPORT, session, request=say(QUESTION))
    client.agent_events.create(SUPPORT, session, request=say("Thank you."))
    frames = list(client.agent_events.create_stream(SUPPORT, session, request=StreamCompact()))
    assert kinds(frames) == ["compaction_started", "compaction", "end"]
    assert frames[0].session_key == session and frames[0].id.startswith("aev_")
    assert frames[1].id in ids(client.agent_events.list(SUPPORT, session))


def test_a_conversation_that_does_not_fit_and_a_model_that_fails_end_their_streams(client, talk):
    frames = list(talk.stream(say("This is too much.", StreamInput)))
    assert kinds(frames)[-2:] == ["context_limit_exceeded", "end"]
    frames = list(talk.stream(say("Now fail.", StreamInput)))
    assert kinds(frames)[-2:] == ["error", "end"] and frames[-2].messages
