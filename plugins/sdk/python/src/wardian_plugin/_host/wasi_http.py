"""Requests over ``wasi:http``."""

from urllib.parse import SplitResult, urlsplit

from componentize_py_types import Err, Ok
from wit_world.imports import outgoing_handler, streams
from wit_world.imports import wasi_http_types as wasi

from ..errors import Error, Failed, InvalidInput, Refused, Unavailable
from ..messages import RESPONSE_BYTES_MAX, Request, Response, denied, no_address, too_large

# What `blocking-write-and-flush` takes at once.
_WRITE_BYTES_MAX = 4096
_READ_BYTES = 64 * 1024

_METHODS = {name: getattr(wasi, f"Method_{name.capitalize()}") for name in ("get", "head", "post", "put", "delete", "options", "patch")}


def send(request: Request) -> Response:
    """Sends a request and reads its response to the end."""
    try:
        target = urlsplit(request.url)
    except ValueError:
        raise no_address(request.url) from None
    host = target.netloc
    if target.scheme not in ("http", "https") or not host:
        raise no_address(request.url)
    outgoing = _built(request, target)
    try:
        body = outgoing.body()
        incoming = outgoing_handler.handle(outgoing, _options(request.timeout))
    except Err as error:
        raise _failure(error.value, request, host) from None
    _write(body, request.body)
    with incoming:
        with incoming.subscribe() as pollable:
            pollable.block()
        match incoming.get():
            case Ok(Ok(response)):
                return _read(response, request, host)
            case Ok(Err(code)):
                raise _failure(code, request, host)
            case _:
                raise Unavailable(f"the request to {host} was given up")


def _built(request: Request, target: SplitResult) -> wasi.OutgoingRequest:
    """A request as the host takes it. One with parts that the host refuses can never be sent."""
    headers = [(name, value.encode()) for name, value in request.headers.items()]
    method = _METHODS.get(request.method.lower())
    part = "header"
    try:
        outgoing = wasi.OutgoingRequest(wasi.Fields.from_list(headers))
        part = "method"
        outgoing.set_method(method() if method else wasi.Method_Other(request.method))
        part = "address"
        outgoing.set_scheme(wasi.Scheme_Https() if target.scheme == "https" else wasi.Scheme_Http())
        outgoing.set_authority(target.netloc)
        outgoing.set_path_with_query((target.path or "/") + (f"?{target.query}" if target.query else ""))
        return outgoing
    except Err:
        raise InvalidInput(f"a request to {target.netloc} cannot be sent with this {part}", code="invalid_request") from None


def _options(timeout: float | None) -> wasi.RequestOptions | None:
    if timeout is None:
        return None
    options = wasi.RequestOptions()
    nanoseconds = max(1, round(timeout * 1e9))
    for bound in (options.set_connect_timeout, options.set_first_byte_timeout, options.set_between_bytes_timeout):
        bound(nanoseconds)
    return options


def _write(body: wasi.OutgoingBody, content: bytes) -> None:
    """Writes a request's body. That it is no longer wanted is told by the response, so nothing is raised."""
    try:
        with body.write() as stream:
            for at in range(0, len(content), _WRITE_BYTES_MAX):
                stream.blocking_write_and_flush(content[at : at + _WRITE_BYTES_MAX])
        wasi.OutgoingBody.finish(body, None)
    except Err:
        pass


def _read(response: wasi.IncomingResponse, request: Request, host: str) -> Response:
    with response:
        status = response.status()
        headers: dict[str, str] = {}
        with response.headers() as fields:
            for name, value in fields.entries():
                name, text = name.lower(), value.decode("utf-8", "replace")
                headers[name] = f"{headers[name]}, {text}" if name in headers else text
        content = bytearray()
        with response.consume() as body, body.stream() as stream:
            while True:
                try:
                    content += stream.blocking_read(_READ_BYTES)
                except Err as error:
                    if isinstance(error.value, streams.StreamError_Closed):
                        break
                    code = wasi.http_error_code(error.value.value)
                    raise _failure(code, request, host) from None
                if len(content) > RESPONSE_BYTES_MAX:
                    raise too_large(host)
        return Response(status, headers, bytes(content))


# What each code asks of the caller, the same in all SDKs; one that is not named may pass.
_DENIED = (wasi.ErrorCode_HttpRequestDenied, wasi.ErrorCode_DestinationIpProhibited)
_INVALID = (wasi.ErrorCode_HttpRequestMethodInvalid, wasi.ErrorCode_HttpRequestUriInvalid, wasi.ErrorCode_HttpRequestUriTooLong)
_TOO_LARGE = (
    wasi.ErrorCode_HttpResponseBodySize,
    wasi.ErrorCode_HttpResponseHeaderSectionSize,
    wasi.ErrorCode_HttpResponseHeaderSize,
    wasi.ErrorCode_HttpResponseTrailerSectionSize,
    wasi.ErrorCode_HttpResponseTrailerSize,
)
_FAILED = (
    wasi.ErrorCode_HttpRequestLengthRequired,
    wasi.ErrorCode_HttpRequestBodySize,
    wasi.ErrorCode_HttpRequestHeaderSectionSize,
    wasi.ErrorCode_HttpRequestHeaderSize,
    wasi.ErrorCode_HttpRequestTrailerSectionSize,
    wasi.ErrorCode_HttpRequestTrailerSize,
    wasi.ErrorCode_HttpResponseTransferCoding,
    wasi.ErrorCode_HttpResponseContentCoding,
    wasi.ErrorCode_HttpUpgradeFailed,
    wasi.ErrorCode_HttpProtocolError,
    wasi.ErrorCode_ConfigurationError,
    wasi.ErrorCode_InternalError,
)


def _failure(code: object, request: Request, host: str) -> Error:
    if isinstance(code, _DENIED):
        return denied(request, host)
    if isinstance(code, _TOO_LARGE):
        return too_large(host)
    message = f"the {request.method} request to {host} failed: {_words(code)}"
    if isinstance(code, _INVALID):
        return InvalidInput(message, code="invalid_request")
    return Failed(message, code="protocol") if isinstance(code, _FAILED) else Unavailable(message, code="connection")


def _words(code: object) -> str:
    """What a code says: its name in words, and the text or number that comes with it."""
    if code is None:
        return "it broke off"
    name = type(code).__name__.partition("_")[2]
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    detail = getattr(code, "value", None)
    return f"{words} ({detail})" if isinstance(detail, (str, int)) else words
