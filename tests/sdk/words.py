"""What the tests say to the SDK, in short."""

from vectara.agent_events.types.create_agent_events_request_body import (
    CreateAgentEventsRequestBody_Compact as Compact,
)
from vectara.agent_events.types.create_agent_events_request_body import (
    CreateAgentEventsRequestBody_InputMessage as Input,
)
from vectara.agent_events.types.create_agent_events_request_body import (
    CreateAgentEventsRequestBody_Interrupt as Interrupt,
)
from vectara.agent_events.types.create_agent_events_stream_request_body import (
    CreateAgentEventsStreamRequestBody_Compact as StreamCompact,
)
from vectara.agent_events.types.create_agent_events_stream_request_body import (
    CreateAgentEventsStreamRequestBody_InputMessage as StreamInput,
)
from vectara.agent_events.types.create_agent_events_stream_request_body import (
    CreateAgentEventsStreamRequestBody_Interrupt as StreamInterrupt,
)
from vectara.types.agent_tool_configuration import AgentToolConfiguration_DynamicVectara as Tool

__all__ = ["Compact", "Input", "Interrupt", "StreamCompact", "StreamInput", "StreamInterrupt", "Tool"]

SUPPORT = "agt_customer_support"
QUESTION = "I'm having trouble with my widget installation."
CONVERSATION = ["input_message", "thinking", "tool_input", "tool_output", "agent_output"]

# The SDK repeats a 409, a 429 and a 5xx of its own accord; where that answer is the point, once is enough.
ONCE = {"max_retries": 0}


def say(text, kind=Input, **more):
    return kind(messages=[{"type": "text", "content": text}], **more)


def kinds(events):
    return [event.type for event in events]


def ids(events):
    return [event.id for event in events]


def text_of(frames):
    return "".join(frame.content for frame in frames if frame.type == "streaming_agent_output")
