"""A plugin as a stranger writes it in Python: `compute` works, `reach` tries what nobody granted."""

import json

from componentize_py_types import Err
from wit_world.exports import Tools as Contract
from wit_world.imports.types import Content_Data, Reason, Tool, ToolError, Traits

import reach


def schema(key, least, most):
    integer = {"type": "integer", "minimum": least, "maximum": most}
    return json.dumps({"type": "object", "properties": {key: integer}, "required": [key], "additionalProperties": False})


def compute(below):
    composite = bytearray(below)
    primes = total = 0
    for n in range(2, below):
        if not composite[n]:
            primes += 1
            total += n
            for multiple in range(n * n, below, n):
                composite[multiple] = 1
    return {"primes": primes, "sum": total}


class Tools(Contract):
    def describe(self):
        return [
            Tool("compute", "Counts the primes below a number and adds them up.", schema("below", 2, 1_000_000), None, Traits(0), None),
            Tool("reach", "Tries everything that the language offers to reach the outside.", schema("port", 1, 65_535), None, Traits(0), None),
        ]

    def invoke(self, call):
        given = json.loads(call.input)
        match call.tool:
            case "compute":
                answer = compute(given["below"])
            case "reach":
                answer = reach.everything(given["port"])
            case other:
                raise Err(ToolError(Reason.NOT_FOUND, other, None, None))
        return [Content_Data(json.dumps(answer))]
