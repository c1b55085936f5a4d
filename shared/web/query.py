"""What a request asks for: its query parameters, each known and well formed, and a media type on offer."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.problems import BadQuery, NotAcceptable
from shared.web.parameters import ParameterReader, one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from starlette.requests import Request

JSON = "application/json"
YAML = "application/yaml"
HTML = "text/html"

MOST_PARAMETERS = 100
"""More parameters than any endpoint takes; a query with more is not read."""

MOST_HEARD = 4000
"""So many characters of a header that lists choices are read; what stands behind the last comma in them is not."""

_NAMES_SHOWN, _NAME_SHOWN = 20, 100
_FORMATS = {"json": JSON, "yaml": YAML}
FORMATS = one_of(*_FORMATS)
"""Reads the parameter that outranks ``Accept`` where YAML is on offer."""
_ALIASES = {"application/x-yaml": YAML, "text/yaml": YAML, "text/x-yaml": YAML, "x-gzip": "gzip"}


class Parameters(dict[str, Any]):
    """The parameters that were given, parsed, and the media type to answer with."""

    media_type: str = JSON


def read_query(request: Request, offers: Sequence[str] = (JSON,), /, **readers: Callable[[str], object]) -> Parameters:
    """Return what *request* asks for; *readers* maps each parameter to the function that reads it.

    Raise BadQuery that names every unknown, repeated or bad parameter, and NotAcceptable when ``Accept`` admits none of
    *offers*. A reader raises ValueError with what the value must be; what is not given has its default.
    Where YAML is on offer ``?format=`` outranks ``Accept``.
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
    if request.scope["query_string"].count(b"&") >= MOST_PARAMETERS:
        raise BadQuery(f"A query has at most {MOST_PARAMETERS} parameters; leave out those that mean nothing here.")
    return request.query_params.multi_items()


def _leave_out(values: Parameters, name: str, reader: ParameterReader[Any]) -> None:
    if reader.required:
        raise BadQuery(f"{name} must be given: {reader.required}.")
    if reader.default is not None:
        values[name] = reader.default


def _unfit(names: Sequence[str], readers: Collection[str]) -> list[str]:
    """Return a sentence about those of *names* that the endpoint does not take, and one about those given twice."""
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
    shown = [repr(name[:_NAME_SHOWN]) for name in names[:_NAMES_SHOWN]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _read(name: str, text: str, read: Callable[[str], object], faults: list[str]) -> object:
    try:
        return read(text)
    except ValueError as fault:
        faults.append(f"{name} {fault}.")
        return None


def _acceptable(request: Request, offers: Sequence[str]) -> str:
    """Choose from *offers* by ``Accept`` (RFC 9110 §12.5.1); raise NotAcceptable.

    Of two that are wanted as much the one that is named more closely wins, then the earlier one.
    """
    wishes = _accepted(request)
    best = max(offers, key=lambda offer: _weight(wishes, offer))
    if _weight(wishes, best)[0] <= 0:
        raise NotAcceptable(f"This endpoint offers {', '.join(offers)}.")
    return best


def _accepted(request: Request) -> dict[str, float]:
    """Return the media ranges of ``Accept``; where it names none, everything is accepted."""
    wishes = weights(header_list(request, "accept"))
    ranges = {name: weight for name, weight in wishes.items() if "/" in name}
    # Clients of Java write the range of everything as one asterisk.
    ranges.setdefault("*/*", wishes.get("*", 0.0 if ranges else 1.0))
    return ranges


def _weight(wishes: dict[str, float], offer: str) -> tuple[float, int]:
    """Return the weight of *offer*, and how closely the member that gives it names the offer."""
    major = offer.partition("/")[0]
    names = ((2, offer), (1, f"{major}/*"), (0, "*/*"))
    return next((wishes[name], closeness) for closeness, name in names if name in wishes)


def prefers_html(request: Request) -> bool:
    """Tell whether *request* takes HTML rather than JSON, as those of browsers do."""
    wishes = _accepted(request)
    return _weight(wishes, HTML) > _weight(wishes, JSON)


def coding(request: Request, offers: Sequence[str]) -> str:
    """Choose from *offers*, the best first, by ``Accept-Encoding`` (RFC 9110 §12.5.3); raise NotAcceptable.

    No coding at all is always on offer, and chosen where nothing else is asked for.
    """
    wishes = weights(header_list(request, "accept-encoding"))
    # An asterisk stands for what every reader knows, which the newer codings are not.
    wishes.setdefault("gzip", wishes.get("*", 0.0))
    wishes.setdefault("identity", 0.0 if wishes.get("*") == 0 else _LEAST)
    best = max((*offers, "identity"), key=lambda offer: wishes.get(offer, 0.0))
    if wishes.get(best, 0.0) <= 0:
        raise NotAcceptable(f"This endpoint offers the content codings {', '.join(offers)} and none at all.")
    return best


def header_list(request: Request, name: str) -> str:
    """Return the header *name* of *request*, all its lines as one list (RFC 9110 §5.3), empty where it was not sent."""
    return ",".join(request.headers.getlist(name))


def weights(header: str) -> dict[str, float]:
    """Return each choice of an ``Accept``-like header, in lower case, with its weight from 0 to 1.

    A member that is no choice, or whose weight is no number from 0 to 1, is left out: it says nothing, least of all
    "never this". So are the members behind the first MOST_HEARD characters. Numbers may be written in other ways than
    RFC 9110 §12.4.2 has it, as ``.5``, ``0.80000`` or ``5e-1``.
    """
    wishes: dict[str, float] = {}
    if len(header) > MOST_HEARD:
        header = header[:MOST_HEARD].rpartition(",")[0]
    # Some programs write numbers as their country does: q=0,5.
    header = re.sub(r"(;\s*q\s*=\s*[01]),(?=[0-9]{1,9}\s*(?:[,;]|$))", r"\1.", header.lower())
    for member in split(header, ","):
        name, *parameters = split(member, ";")
        name = _ALIASES.get(name, name)
        weight = next((_quality(text) for key, text in parameters_of(parameters) if key == "q"), 1.0)
        if weight is not None and _CHOICE.fullmatch(name):
            # Two names of one thing may come with two weights; the better one is the caller's wish.
            wishes[name] = max(wishes.get(name, 0.0), weight)
    return wishes


_CHOICE = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+(?:/[!#$%&'*+.^_`|~0-9a-z-]+)?")
_NUMBER = re.compile(r"(?=\.?[0-9])[0-9]{0,30}(?:\.[0-9]{0,30})?(?:e[+-]?[0-9]{1,3})?")

_LEAST = 5e-324
"""Less than any other weight but 0."""


def _quality(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else -1.0
    return value if 0 <= value <= 1 else None


def split(text: str, separator: str) -> list[str]:
    """Return the parts of a header's *text*, at least one, without white space around them.

    Quotes keep a part together, unless one is left open: then they mean nothing.
    """
    quotes = text.count('"') - text.count('\\"')
    if quotes == 0 or quotes % 2:
        return [part.strip() for part in text.split(separator)]
    # Each alternative takes what it begins with, so this never goes back: the time is that of the length.
    parts = re.findall(rf'(?:"(?:[^"\\]|\\.)*"?|[^"{separator}])+', text)
    return [part.strip() for part in parts] or [""]


def parameters_of(parameters: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the name, in lower case, and the value, without quotes, of each of *parameters*, such as ``q=0.5``."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        yield name.strip().lower(), value.strip().strip("\"'")
