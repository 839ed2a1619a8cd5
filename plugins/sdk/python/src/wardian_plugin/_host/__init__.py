"""The host: the imports of the contract in a component, a stand-in everywhere else.

Both offer the same functions, and both raise the errors of this SDK.
"""

try:
    from . import component as host
except ModuleNotFoundError as error:
    if error.name is None or not error.name.startswith(("wit_world", "componentize_py")):
        raise
    from . import memory as host

__all__ = ["host"]
