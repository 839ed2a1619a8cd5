"""Write a Wardian plugin in Python.

A tool is a function with type hints; the schemas of its arguments and of its
answer are made from them, and its docstring is what the model reads about it::

    from typing import Annotated
    from wardian_plugin import InvalidInput, tool

    @tool(pure=True)
    def greet(name: Annotated[str, "Whom to greet."], excited: bool = False) -> str:
        \"\"\"Greets a person by name.\"\"\"
        if not name:
            raise InvalidInput("name is empty; say whom to greet")
        return f"Hello, {name}{'!' if excited else '.'}"

What the operator granted is reached through the modules ``config``,
``secrets``, ``store``, ``cache`` and ``http``; ``context``, ``log`` and
``feedback`` are always there. Outside a component they are stand-ins in memory,
so that a plugin's tests are ordinary Python tests; see ``testing``.

The top level of a plugin's modules runs once, when the component is built: no
clock, setting or secret may be read there, and everything has to be imported there.
"""

from . import cache, config, context, feedback, http, log, secrets, store
from .answer import Data, File, Other, Part, Text
from .errors import Error, Failed, InvalidInput, NotFound, Refused, Unauthorized, Unavailable
from .schema import Field
from .tools import tool

__all__ = [
    "Data",
    "Error",
    "Failed",
    "Field",
    "File",
    "InvalidInput",
    "NotFound",
    "Other",
    "Part",
    "Refused",
    "Text",
    "Unauthorized",
    "Unavailable",
    "cache",
    "config",
    "context",
    "feedback",
    "http",
    "log",
    "secrets",
    "store",
    "tool",
]
