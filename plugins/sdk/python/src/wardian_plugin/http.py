"""HTTP requests to hosts that the operator granted.

A request that was not granted raises :class:`~wardian_plugin.Unauthorized`, one that
failed :class:`~wardian_plugin.Unavailable`; any status is a response.
"""

import json as _json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from ._host import host
from .messages import Request, Response
from .words import well_formed

__all__ = ["Request", "Response", "get", "post", "request"]


def request(
    method: str,
    url: str,
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    json: Any = None,
    timeout: float | None = None,
) -> Response:
    """Sends a request. ``params`` are added to the address, ``json`` is a body in JSON, ``timeout`` is in seconds."""
    if params:
        url += ("&" if "?" in url else "?") + urlencode(params, errors="replace")
    fields = {well_formed(name).lower(): well_formed(value) for name, value in (headers or {}).items()}
    if json is not None:
        body = _json.dumps(json, separators=(",", ":"))
        fields.setdefault("content-type", "application/json")
    content = well_formed(body).encode() if isinstance(body, str) else body or b""
    if content:
        fields.setdefault("content-length", str(len(content)))
    return host.send(Request(well_formed(method).upper(), well_formed(url), fields, content, timeout))


def get(url: str, **options: Any) -> Response:
    """Sends a ``GET`` request; the options are those of :func:`request`."""
    return request("GET", url, **options)


def post(url: str, **options: Any) -> Response:
    """Sends a ``POST`` request; the options are those of :func:`request`."""
    return request("POST", url, **options)
