"""The component's export. ``wardian build`` makes a module that imports the plugin and this class."""

import json

from componentize_py_types import Err
from wit_world.imports import wardian_plugin_types as contract

from . import tools
from ._host.component import content, failure
from .answer import to_json
from .errors import Error, as_told
from .words import well_formed

__all__ = ["Tools", "require_tools"]


class Tools:
    """The interface ``tools`` of the contract."""

    def describe(self) -> list[contract.Tool]:
        """The plugin's tools."""
        return [_described(one) for one in tools.declared.values()]

    def invoke(self, call: contract.Call) -> list[contract.Content]:
        """Runs one tool."""
        try:
            return tools.guarded(lambda: [content(part) for part in tools.run(call.tool, call.input)])
        except Error as error:
            raise Err(failure(as_told(error))) from None


def require_tools(module: str) -> None:
    """Refuses a plugin without tools, when it is built."""
    if not tools.declared:
        raise ValueError(f"module {module} declares no tool: put @tool above a function of it")


def _described(declared: tools.Tool) -> contract.Tool:
    traits = contract.Traits(0)
    for trait in declared.traits:
        traits |= contract.Traits[trait.upper()]
    return contract.Tool(
        name=declared.name,
        description=well_formed(declared.description),
        input=well_formed(json.dumps(declared.input, ensure_ascii=False)),
        output=None if declared.output is None else well_formed(json.dumps(declared.output, ensure_ascii=False)),
        traits=traits,
        annotations=to_json(declared.annotations) if declared.annotations else None,
    )
