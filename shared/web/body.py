"""The body of a request: read within a bound, as strict JSON or as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared import strict_json
from shared.problems import BodyTooLarge, MalformedBody, UnsupportedMediaType
from shared.web.places import admission_of
from shared.web.query import header_list, parameters_of, split

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
MAX_DOCUMENT_BYTES = 1024 * 1024
_CHARSETS = {"", "utf-8", "utf8", "us-ascii", "ascii"}
DOCUMENTS = ("application/yaml", JSON, "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain")


def has_body(request: Request) -> bool:
    """Tell whether the headers announce a body, of at least one byte or chunked (RFC 9112 §6.3)."""
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0").strip("0") != ""


async def read_json(request: Request, media_types: Collection[str] = (JSON,)) -> Any:  # noqa: ANN401 - not yet checked
    """Return the JSON value of the body, of any shape: the caller checks it against a schema.

    Raise UnsupportedMediaType, BodyTooLarge (more than REUSE_SURFACE_MAX_BODY_BYTES), MalformedBody or Overloaded.
    """
    _check_type(request, media_types)
    content = await read_bytes(request, admission_of(request).most_bytes)
    try:
        return strict_json.parse(content)
    except strict_json.NotStrictJson as fault:
        place = f" (line {fault.line}, column {fault.column})" if fault.line else ""
        raise MalformedBody(f"The body is refused: {fault}{place}.") from fault


async def read_document(request: Request) -> bytes:
    """Return the body, a YAML or JSON document, as bytes that are not parsed.

    Raise UnsupportedMediaType, BodyTooLarge (more than 1 MiB) or Overloaded.
    """
    _check_type(request, DOCUMENTS)
    return await read_bytes(request, MAX_DOCUMENT_BYTES)


def _check_type(request: Request, media_types: Collection[str]) -> None:
    media_type, *parameters = split(request.headers.get("content-type", ""), ";")
    # JSON and YAML define no parameters, so that others mean nothing (RFC 8259 §11).
    charsets = {value.lower() for name, value in parameters_of(parameters) if name == "charset"}
    if media_type.lower() not in media_types or charsets - _CHARSETS:
        raise UnsupportedMediaType(f"Send Content-Type: {' or '.join(media_types)}, in UTF-8.")
    # A compressed body could be a thousand times as large as the bytes that the bounds count.
    if {coding.lower() for coding in split(header_list(request, "content-encoding"), ",")} - {"", "identity"}:
        raise UnsupportedMediaType("Send the body without Content-Encoding.")


async def read_bytes(request: Request, most: int) -> bytes:
    """Return the whole body, and then hold one of the places for requests that are worked on.

    Raise BodyTooLarge as soon as more than *most* bytes are announced or received, and Overloaded where the bytes or
    places of all clients, or of this one, are taken.
    """
    admission = admission_of(request)
    announced = request.headers.get("content-length", "")
    if announced.isdecimal():
        # Python refuses to read a number of thousands of digits; the first 19 of one are too large anyway.
        size = int(announced[:19])
        if size > most:
            raise _too_large(most)
        admission.foresee(size)
    content = bytearray()
    async for chunk in request.stream():
        if len(content) + len(chunk) > most:
            raise _too_large(most)
        admission.receive(len(chunk))
        content += chunk
    admission.begin()
    return bytes(content)


def leave_body(request: Request) -> None:
    """Hold a place for *request* without reading a body, for endpoints that have none; raise Overloaded."""
    admission_of(request).begin()


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body may have at most {most:,} bytes.")
