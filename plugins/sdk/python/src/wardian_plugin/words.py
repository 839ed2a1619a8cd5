"""Text as the contract takes it: what is no well-formed Unicode would end a call as a crash."""

import re
from typing import Any

# Without the codecs for UTF-16: those would be imported in a call, and a component has no files.
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


def well_formed(text: Any) -> str:
    """A value as text in which each lone surrogate has become the replacement character."""
    text = text if isinstance(text, str) else str(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub(_letter, text)
    return text


def _letter(found: re.Match[str]) -> str:
    """The letter that two halves are, and the replacement character for one."""
    high, low = ord(found[0][0]), ord(found[0][-1])
    return chr(0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00)) if len(found[0]) == 2 else "\ufffd"


def optional(text: Any) -> str | None:
    """The same of something that may be missing."""
    return None if text is None else well_formed(text)


def told(value: Any) -> str:
    """What a value says of itself, or its type where it fails to say anything."""
    try:
        return well_formed(value)
    except Exception:
        return f"a {type(value).__name__} that cannot be shown"
