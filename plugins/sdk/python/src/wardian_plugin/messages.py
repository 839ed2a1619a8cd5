"""What travels over HTTP: a request, its response, and the sentence for one that was not granted."""

import dataclasses
import json
from typing import Any

from .errors import InvalidInput, Refused, Unauthorized

RESPONSE_BYTES_MAX = 16 * 1024 * 1024
"""What is kept of a response: the host has limits of its own, this one keeps a guest from filling its memory."""


@dataclasses.dataclass(frozen=True)
class Request:
    """A request as it leaves."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    timeout: float | None = None


@dataclasses.dataclass(frozen=True)
class Response:
    """A response, read to its end. The names of its headers are in small letters."""

    status: int
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the status says that it went well."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text in UTF-8."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; a ``ValueError`` where it is none."""
        return json.loads(self.body)


def denied(request: Request, host: str) -> Unauthorized:
    """What a tool says when the operator has not granted a request."""
    return Unauthorized(
        f"this plugin may not send {request.method} requests to {host}; the operator can grant it", code="not_granted"
    )


def too_large(host: str) -> Refused:
    """What a tool says of an answer that is larger than the host or the SDK takes."""
    return Refused(f"the answer of {host} is larger than is permitted; ask for less of it", code="too_large")


def no_address(url: str) -> InvalidInput:
    """What a tool says of a request that goes nowhere."""
    return InvalidInput(f"{url!r} is no address of the form https://host/path", code="invalid_request")
