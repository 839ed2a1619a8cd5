"""The tools of {{name}}. What stands outside of functions runs once, when the plugin is built."""

from dataclasses import dataclass
from typing import Annotated

from wardian_plugin import InvalidInput, tool


@dataclass
class Greeting:
    text: Annotated[str, "The greeting."]


@tool(pure=True)
def greet(
    name: Annotated[str, "Whom to greet."],
    excited: Annotated[bool, "Whether to sound excited."] = False,
) -> Greeting:
    """Greets a person by name."""
    if not name:
        raise InvalidInput("name is empty; say whom to greet")
    return Greeting(f"Hello, {name}{'!' if excited else '.'}")
