"""Reads the query parameters of a request, and negotiates the media type and coding of its answer (RFC 9110 §12)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.parameters import HTML, JSON, YAML, ParameterReader, one_of
from shared.problems import BadQuery, NotAcceptable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from starlette.requests import Request

MOST_PARAMETERS = 100
"""More parameters than any endpoint takes; a query with more is refused unread."""

MOST_HEADER = 4000
"""Characters of a header like Accept that are read; the member that they cut in two is left out."""

_NAMES_SHOWN, _NAME_SHOWN = 20, 100
_FORMATS = {"json": JSON, "yaml": YAML}
FORMATS = one_of(*_FORMATS)
"""Reads the parameter that outranks ``Accept`` where YAML is on offer."""
_ALIASES = {"application/x-yaml": YAML, "text/yaml": YAML, "text/x-yaml": YAML, "x-gzip": "gzip"}


class Parameters(dict[str, Any]):
    """The values of the parameters by name, defaults included, and the media type to answer with."""

    media_type: str = JSON


def read_query(request: Request, offers: Sequence[str] = (JSON,), /, **readers: Callable[[str], object]) -> Parameters:
    """Return the parameters of *request*; *readers* maps the name of each to the function that reads its text.

    A reader raises ValueError that says what the value must be. Raise BadQuery that names every unknown, repeated or
    bad parameter, or one that is required and absent, and NotAcceptable when ``Accept`` admits none of the media types
    *offers*, the preferred one first. Where YAML is among them ``?format=`` outranks ``Accept``.
    """
    values = Parameters()
    if YAML in offers:
        readers["format"] = FORMATS
    parameters = pairs(request)
    faults = _unfit([name for name, _ in parameters], readers)
    for name, text in parameters:
        if name in readers and name not in values:
            values[name] = _read(name, text, readers[name], faults)
    if faults:
        raise BadQuery(" ".join(faults))
    values.media_type = _FORMATS[values["format"]] if "format" in values else _acceptable(request, offers)
    for name, reader in readers.items():
        if name not in values and isinstance(reader, ParameterReader):
            _leave_out(values, name, reader)
    return values


def pairs(request: Request) -> list[tuple[str, str]]:
    """Return the names and values in the query of *request*, in their order; raise BadQuery for more than 100."""
    query = request.scope["query_string"]
    if not query:
        return []
    if query.count(b"&") >= MOST_PARAMETERS:
        raise BadQuery(f"A query has at most {MOST_PARAMETERS} parameters; leave out those that mean nothing here.")
    return request.query_params.multi_items()


def _leave_out(values: Parameters, name: str, reader: ParameterReader[Any]) -> None:
    if reader.required:
        raise BadQuery(f"{name} must be given: {reader.required}.")
    if reader.default is not None:
        values[name] = reader.default


def _unfit(names: Sequence[str], readers: Collection[str]) -> list[str]:
    """Return up to two sentences: on those of *names* that no reader has, and on those that stand there twice."""
    counts = Counter(names)
    unknown = [name for name in counts if name not in readers]
    twice = [name for name, count in counts.items() if name in readers and count > 1]
    faults = []
    if unknown:
        verb = "is not a parameter" if len(unknown) == 1 else "are not parameters"
        faults.append(f"{_quoted(unknown)} {verb} of this endpoint; it takes {', '.join(sorted(readers)) or 'none'}.")
    if twice:
        faults.append(f"{_quoted(twice)} {'is' if len(twice) == 1 else 'are'} given twice.")
    return faults


def _quoted(names: Sequence[str]) -> str:
    first = [repr(name[:_NAME_SHOWN]) for name in names[:_NAMES_SHOWN]]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def _read(name: str, text: str, read: Callable[[str], object], faults: list[str]) -> object:
    try:
        return read(text)
    except ValueError as fault:
        faults.append(f"{name} {fault}.")
        return None


def _acceptable(request: Request, offers: Sequence[str]) -> str:
    """Return the one of *offers* that ``Accept`` prefers (RFC 9110 §12.5.1); raise NotAcceptable.

    Of two with the same weight the one that is named more closely wins, then the earlier one.
    """
    ranges = _accepted(request)
    best = max(offers, key=lambda offer: _weight(ranges, offer))
    if _weight(ranges, best)[0] <= 0:
        raise NotAcceptable(f"This endpoint offers {', '.join(offers)}.")
    return best


def _accepted(request: Request) -> dict[str, float]:
    """Return the weight of each media range of ``Accept``; where it names none, everything is accepted."""
    header = header_list(request, "accept")
    if not header:
        return {"*/*": 1.0}
    members = weights(header)
    ranges = {name: weight for name, weight in members.items() if "/" in name}
    # Clients of Java write the range of everything as one asterisk.
    ranges.setdefault("*/*", members.get("*", 0.0 if ranges else 1.0))
    return ranges


def _weight(ranges: dict[str, float], offer: str) -> tuple[float, int]:
    """Return the weight of *offer*, and the closeness of the range that gives it: 2 exact, 1 ``type/*``, 0 ``*/*``."""
    major = offer.partition("/")[0]
    names = ((2, offer), (1, f"{major}/*"), (0, "*/*"))
    return next((ranges[name], closeness) for closeness, name in names if name in ranges)


def prefers_html(request: Request) -> bool:
    """Tell whether ``Accept`` gives HTML more weight than JSON, as browsers do, or names it more closely."""
    ranges = _accepted(request)
    return _weight(ranges, HTML) > _weight(ranges, JSON)


def coding(request: Request, offers: Sequence[str]) -> str:
    """Return the content coding that ``Accept-Encoding`` prefers (RFC 9110 §12.5.3); raise NotAcceptable.

    *offers* stand in the order of the hub's own preference. ``identity``, no coding, is always on offer, and chosen
    where the header asks for nothing else.
    """
    codings = weights(header_list(request, "accept-encoding"))
    # An asterisk is read as gzip, which every client can decode, and never as one of the newer codings.
    codings.setdefault("gzip", codings.get("*", 0.0))
    codings.setdefault("identity", 0.0 if codings.get("*") == 0 else _LEAST)
    best = max((*offers, "identity"), key=lambda offer: codings.get(offer, 0.0))
    if codings.get(best, 0.0) <= 0:
        raise NotAcceptable(f"This endpoint offers the content codings {', '.join(offers)} and none at all.")
    return best


def header_list(request: Request, name: str) -> str:
    """Return the header *name* of *request*, all its lines as one list (RFC 9110 §5.3), empty where it was not sent."""
    return ",".join(request.headers.getlist(name))


def weights(header: str) -> dict[str, float]:
    """Return the weight, 0 to 1, of each member of a header like ``Accept``, by its name in lower case.

    A member that is malformed, or whose weight is no number from 0 to 1, is left out, since reading it as 0 would mean
    "never this". So are the members behind the first MOST_HEADER characters. Numbers are read in more forms than RFC
    9110 §12.4.2 defines, such as ``.5``, ``0.80000`` or ``5e-1``.
    """
    members: dict[str, float] = {}
    if len(header) > MOST_HEADER:
        header = header[:MOST_HEADER].rpartition(",")[0]
    # Some programs write numbers as their country does: q=0,5.
    header = re.sub(r"(;\s*q\s*=\s*[01]),(?=[0-9]{1,9}\s*(?:[,;]|$))", r"\1.", header.lower())
    for member in split(header, ","):
        name, *parameters = split(member, ";")
        name = _ALIASES.get(name, name)
        weight = next((_quality(text) for key, text in parameters_of(parameters) if key == "q"), 1.0)
        if weight is not None and _CHOICE.fullmatch(name):
            # Two names of one type, such as application/x-yaml, may have two weights; the higher one counts.
            members[name] = max(members.get(name, 0.0), weight)
    return members


_CHOICE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:/[!#$%&'*+.^_`|~0-9a-z-]+)?")
_NUMBER = re.compile(r"(?=\.?[0-9])[0-9]{0,30}(?:\.[0-9]{0,30})?(?:e[+-]?[0-9]{1,3})?")

_LEAST = 5e-324
"""The smallest weight above 0: for a choice that any other one that is named outweighs."""


def _quality(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else -1.0
    return value if 0 <= value <= 1 else None


def split(text: str, separator: str) -> list[str]:
    """Return the parts of *text* between *separator*, at least one, without white space around them.

    A separator within a quoted string (RFC 9110 §5.6.4) separates nothing; where a quote is left open, quotes are
    plain characters.
    """
    quotes = text.count('"') - text.count('\\"')
    if quotes == 0 or quotes % 2:
        return [part.strip() for part in text.split(separator)]
    # The alternatives begin with different characters, so the search never backtracks: its time is linear.
    parts = re.findall(rf'(?:"(?:[^"\\]|\\.)*"?|[^"{separator}])+', text)
    return [part.strip() for part in parts] or [""]


def parameters_of(parameters: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name in lower case, value without quotes) of each of *parameters*, such as ``q=0.5``."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        yield name.strip().lower(), value.strip().strip("\"'")
