"""Nothing is left out: every method that the SDK has for this server is driven, and the rest is refused as it should be."""

import inspect
import pathlib

import pytest
from vectara import Vectara
from vectara.core.api_error import ApiError

from words import SUPPORT

GROUPS = ["agents", "agent_sessions", "agent_events", "tools", "llms", "agent_artifacts", "agent_schedules", "instructions", "tool_servers"]


def test_every_method_of_the_sdk_is_in_a_test():
    tests = "".join(path.read_text() for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")))
    client = Vectara(api_key="nobody's")
    methods = [f"{group}.{name}(" for group in GROUPS for name, _ in inspect.getmembers(getattr(client, group), inspect.ismethod) if name[0] != "_"]
    assert len(methods) > 40
    assert [method for method in methods if f".{method}" not in tests] == []


def test_what_this_version_does_not_have_is_refused_in_the_ordinary_way(client, session):
    interval = {"type": "interval", "interval": "PT6H"}
    absent = [
        lambda: client.agent_artifacts.list(SUPPORT, session),
        lambda: client.agent_artifacts.get(SUPPORT, session, "art_a_b_c"),
        lambda: client.agent_schedules.list(SUPPORT),
        lambda: client.agent_schedules.create(SUPPORT, name="n", message=[], schedule=interval),
        lambda: client.agent_schedules.get(SUPPORT, "asc_a"),
        lambda: client.agent_schedules.update(SUPPORT, "asc_a", name="n"),
        lambda: client.agent_schedules.delete(SUPPORT, "asc_a"),
        lambda: client.agent_schedules.list_executions(SUPPORT, "asc_a"),
        lambda: client.instructions.list(),
        lambda: client.instructions.create(request={"type": "initial", "name": "n", "template": "t"}),
        lambda: client.instructions.get("ins_a"),
        lambda: client.instructions.update("ins_a", request={"type": "initial", "name": "n"}),
        lambda: client.instructions.test("ins_a", context={}),
        lambda: client.instructions.delete_version("ins_a", 1),
        lambda: client.instructions.delete("ins_a"),
        lambda: client.tool_servers.list(),
        lambda: client.tool_servers.create(name="n", type="mcp", uri="http://127.0.0.1", transport="sse"),
        lambda: client.tool_servers.get("tsr_a"),
        lambda: client.tool_servers.update("tsr_a", name="n"),
        lambda: client.tool_servers.sync("tsr_a"),
        lambda: client.tool_servers.delete("tsr_a"),
        lambda: client.tools.test("tol_calculator_calculate", input={}),
        lambda: client.tools.test_without_creation(code="def process(): return {}", test_input={}),
        lambda: client.llms.get("llm_default"),
        lambda: client.llms.update("llm_default", request={"type": "openai-compatible"}),
        lambda: client.llms.delete("llm_default"),
    ]
    for call in absent:
        with pytest.raises(ApiError) as refused:
            call()
        body = refused.value.body if isinstance(refused.value.body, dict) else vars(refused.value.body)
        assert refused.value.status_code == 404 and body["messages"] and body["code"] == "not_found"
    # The path is there, for reading: what is wrong is the method.
    with pytest.raises(ApiError) as refused:
        client.llms.create(request={"type": "openai-compatible", "name": "n", "model": "m", "uri": "http://127.0.0.1"})
    assert refused.value.status_code == 405 and refused.value.headers["allow"]
