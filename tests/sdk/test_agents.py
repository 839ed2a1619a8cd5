"""Agents, their identity, and the models that they may name."""

import pytest
from vectara.core.api_error import ApiError
from vectara.errors.bad_request_error import BadRequestError
from vectara.errors.not_found_error import NotFoundError
from vectara.types.agent_model import AgentModel
from vectara.types.agent_output_parser import AgentOutputParser_Structured as Structured
from vectara.types.agent_step import AgentStep
from vectara.types.agent_step_instruction import AgentStepInstruction_Inline as Inline
from vectara.types.compaction_config import CompactionConfig
from vectara.types.first_agent_step import FirstAgentStep
from vectara.types.retry_configuration import RetryConfiguration
from vectara.types.update_first_agent_step import UpdateFirstAgentStep

from words import SUPPORT, Tool, kinds, say

STEP = FirstAgentStep(name="main", instructions=[], output_parser={"type": "default"})


def test_an_agent_is_made_read_replaced_and_deleted(client):
    model = AgentModel(name="script", parameters={"temperature": 0.5}, retry_configuration=RetryConfiguration(max_retries=2))
    made = client.agents.create(
        name="From the SDK",
        description="All that it has",
        tool_configurations={"json": Tool(tool_id="tol_json_json_query", argument_override={"query": "."})},
        model=model,
        first_step=STEP,
        metadata={"team": {"a": [1, None]}},
        compaction=CompactionConfig(threshold_percent=60, keep_recent_inputs=2),
    )
    assert made.key.startswith("agt_from_the_sdk_") and made.enabled is True
    assert made.tool_configurations["json"].argument_override == {"query": "."}
    assert made.model.parameters == {"temperature": 0.5} and made.model.retry_configuration.max_retries == 2
    assert made.metadata == {"team": {"a": [1, None]}}
    assert (made.compaction.threshold_percent, made.compaction.keep_recent_inputs) == (60, 2)
    assert made.first_step.name == "main" and made.first_step_name == "main" and list(made.steps) == ["main"]
    assert client.agents.get(made.key) == made
    replaced = client.agents.replace(made.key, name="Another", tool_configurations={}, model=AgentModel(name="default"), first_step=STEP)
    assert (replaced.key, replaced.name, replaced.tool_configurations) == (made.key, "Another", {})
    assert not replaced.description and replaced.created_at == made.created_at
    client.agents.delete(made.key)
    with pytest.raises(NotFoundError) as gone:
        client.agents.get(made.key)
    assert gone.value.body["code"] == "agent_not_found" and gone.value.body["id"] == made.key


def test_a_change_keeps_what_is_absent_clears_what_is_null_and_removes_entries(client, agent):
    tools = {name: Tool(tool_id="tol_json_json_query") for name in ("one", "two")}
    key = agent("Changing", description="d", metadata={"a": 1}, tool_configurations=tools).key
    changed = client.agents.update(key, name="Changed", metadata={"b": 2})
    assert (changed.name, changed.description, changed.metadata) == ("Changed", "d", {"b": 2})
    assert set(changed.tool_configurations) == {"one", "two"}
    changed = client.agents.update(key, description=None, tool_configurations={"one": None})
    assert changed.description is None and set(changed.tool_configurations) == {"two"}
    assert client.agents.update(key, enabled=False).enabled is False
    assert client.agents.update(key, enabled=None).enabled is True
    inline = Inline(name="rule", template="You are $agent.name.", template_type="velocity")
    changed = client.agents.update(key, first_step=UpdateFirstAgentStep(instructions=[inline]))
    assert changed.first_step.name == "main" and changed.first_step.instructions[0].template == inline.template
    assert client.agents.update(key, first_step=UpdateFirstAgentStep(name="begin")).first_step_name == "begin"
    assert client.agents.get(key).first_step.instructions[0].name == "rule"


def test_agents_are_listed_page_by_page_and_filtered(client, agent):
    made = [agent(f"Listed {n}").key for n in range(3)]
    client.agents.update(made[0], enabled=False)
    assert set(made) <= {each.key for each in client.agents.list(limit=1)}
    assert [each.key for each in client.agents.list(filter="^Listed [0-9]$", limit=2)] == made
    assert [each.key for each in client.agents.list(filter="Listed", enabled=True)] == made[1:]
    assert [each.key for each in client.agents.list(filter="Listed", enabled=False)] == made[:1]
    with pytest.raises(ApiError) as bad:
        client.agents.list(filter="(")
    assert bad.value.status_code == 400 and "filter" in bad.value.body["field_errors"]


def test_the_entry_step_is_taken_in_both_forms_and_shown_in_both(client, agent):
    step = AgentStep(instructions=[], output_parser={"type": "default"})
    made = agent("Steps", first_step=None, first_step_name="begin", steps={"begin": step})
    assert made.first_step.name == "begin" and list(made.steps) == ["begin"]
    bare = agent("Bare", first_step={"type": "conversational", "output_parser": {"type": "default"}})
    assert bare.first_step.name == "first_step" and bare.first_step.instructions == []
    with pytest.raises(BadRequestError) as none:
        agent("None", first_step=None)
    assert none.value.body["field_errors"]


def test_an_agent_with_a_form_answers_in_it(client, agent):
    schema = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
    parser = Structured(json_schema={"name": "place", "schema": schema})
    made = agent("Form", first_step=FirstAgentStep(name="main", instructions=[], output_parser=parser))
    assert made.first_step.output_parser.json_schema.name == "place"
    assert client.agents.update(made.key, description="d").first_step.output_parser.type == "structured"
    session = client.agent_sessions.create(made.key)
    answer = client.agent_events.create(made.key, session.key, request=say("Which city?"))
    assert kinds(answer.events) == ["input_message", "structured_output"]
    assert (answer.events[1].schema_name, answer.events[1].content) == ("place", {"city": "Oslo"})
    assert kinds(client.agent_events.list(made.key, session.key)) == kinds(answer.events)


def test_an_identity_is_read_and_changed(client):
    before = client.agents.get_identity("assistant")
    assert before.mode == "auto" and before.api_roles == [] and before.corpus_roles == [] and before.agent_roles == []
    role = {"agent_key": SUPPORT, "role": "agent_user"}
    changed = client.agents.update_identity("assistant", mode="manual", api_roles=["agent_viewer"], agent_roles=[role])
    assert changed.mode == "manual" and changed.api_roles == ["agent_viewer"]
    assert changed.agent_roles[0].agent_key == SUPPORT
    client.agents.update_identity("assistant", mode="manual", api_roles=[], agent_roles=[])
    assert client.agents.update_identity("assistant", mode="auto").mode == "auto"


def test_the_models_that_an_agent_may_name_are_listed(client):
    names = [llm.name for llm in client.llms.list(limit=1)]
    assert sorted(names) == ["default", "script"]
    assert [llm.name for llm in client.llms.list(filter="^scr")] == ["script"]
