"""YAML as plain data: one pass over libyaml's events, with no tags, anchors, aliases, merge keys or repeated keys.

None of PyYAML's loaders is used: they resolve dates and sexagesimals, explode merge keys while loading, and crash on
deep nesting. The events come one by one, so that a bound is met before anything large is made. Plain scalars are read
by the rules of the YAML 1.2 core schema for null, booleans, decimal integers and finite floats; all else stays text.
Lines end as YAML 1.2 and editors have it (section 5.4): libyaml, of YAML 1.1, would end one at U+2028 and U+2029 too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from shared.characters import position, refused
from shared.strict_json import MAX_DEPTH, finite, integer

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NODES = 500_000
_PLAIN = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("0123456789+-.")

Mark = tuple[int, int]
"""A line and a column, counted from 1."""


# Characters that no text holds, as they are refused, in the place of those that libyaml takes for ends of lines.
_STAND_INS = {0x2028: 0xFDD0, 0x2029: 0xFDD1}
_STOOD_FOR = {stand_in: letter for letter, stand_in in _STAND_INS.items()}
_ESCAPED_STAND_IN = re.compile(r"\\(?:u|U0000)fdd[01]", re.IGNORECASE)


class ValuePlace(NamedTuple):
    """Where a value starts, counted from 1, and the text of a plain scalar (*scalar*); None for other values."""

    line: int
    column: int
    scalar: str | None = None


class NotPlainYaml(ValueError):  # noqa: N818 - a verdict, not a failure
    """The text is not YAML that is read as data; *line* and *column* count from 1.

    *begun* is where the value starts that was being read, where libyaml tells.
    """

    def __init__(self, detail: str, mark: Mark, begun: Mark | None = None) -> None:
        super().__init__(detail)
        self.line, self.column = mark
        self.begun = begun


def parse(text: str) -> Any:  # noqa: ANN401 - data not yet checked
    """Return the data that *text* holds, or raise NotPlainYaml at the first place that is not plain data."""
    return _Builder().build(text)


def locate(text: str, pointers: list[str]) -> list[ValuePlace]:
    """Return where the value at each JSON Pointer starts in *text*; of a missing one, where its parent does."""
    builder = _Builder(marks={})
    root = builder.build(text)
    return [builder.find(root, pointer) for pointer in pointers]


class _Builder:
    """Builds plain data from events; remembers where each value started when given somewhere to put it."""

    def __init__(self, marks: dict[tuple[int, object], ValuePlace] | None = None) -> None:
        self._marks = marks
        self._stood_for: dict[int, int] = {}
        self._stack: list[tuple[dict[str, Any] | list[Any], str | None]] = []
        self._container: dict[str, Any] | list[Any] = []
        self._key: str | None = None
        self._nodes = 0
        self._documents = 0

    def build(self, text: str) -> Any:  # noqa: ANN401 - data not yet checked
        if refusal := refused(text):
            _refuse(refusal.detail, position(text, refusal.offset))
        if "\u2028" in text or "\u2029" in text:
            text = self._covered(text)
        root: list[Any] = []
        self._container = root
        # Only the parser of this loader runs: its constructor, which makes objects of tags, is never called.
        handlers, next_event = self._handlers(), yaml.CSafeLoader(text).get_event
        try:
            while (kind := type(event := next_event())) is not StreamEndEvent:
                if handler := handlers.get(kind):
                    handler(event)
        except yaml.MarkedYAMLError as fault:
            begun = _counted(fault.context_mark) if fault.context_mark else None
            raise NotPlainYaml(f"not YAML: {fault.problem}", _mark_of(fault), begun) from fault
        return root[0] if root else None

    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        # Not kept: with what refers back to it a builder, and all that it built, would wait for a collection.
        return {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._start_mapping,
            SequenceStartEvent: self._start_sequence,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            AliasEvent: self._refuse_alias,
            DocumentStartEvent: self._start_document,
            DocumentEndEvent: self._end_document,
        }

    def _covered(self, text: str) -> str:
        """Return *text* with a stand-in for each character that libyaml alone takes for the end of a line."""
        if match := _ESCAPED_STAND_IN.search(text):
            _refuse(f"the character U+{match[0][-4:].upper()} is not allowed", position(text, match.start()))
        self._stood_for = _STOOD_FOR
        return text.translate(_STAND_INS)

    def find(self, root: object, pointer: str) -> ValuePlace:
        """Return the place of *pointer* below *root*, or of the nearest value above it that exists."""
        marks = self._marks or {}
        place, here = ValuePlace(1, 1), root
        for step in pointer.split("/")[1:]:
            name: str | int = step.replace("~1", "/").replace("~0", "~")
            if isinstance(here, list):
                name = int(name)
            if (id(here), name) not in marks:
                break
            place = marks[id(here), name]
            here = here[name]  # type: ignore[index]
        return place

    def _place(self, value: object, event: Any, scalar: str | None = None) -> None:  # noqa: ANN401 - PyYAML's events have no types
        container = self._container
        if isinstance(container, list):
            place: object = len(container)
            container.append(value)
        else:
            place = self._key
            container[place] = value  # type: ignore[index]
            self._key = None
        if self._marks is not None:
            # An id stays unique here: the root refers to every container until the places have been read.
            self._marks[id(container), place] = ValuePlace(*_start(event), scalar)

    def _scalar(self, event: Any) -> None:  # noqa: ANN401
        if event.tag is not None or event.anchor is not None:
            _refuse("tags and anchors are not read; write the value out", _start(event))
        text = event.value
        if self._stood_for:
            text = text.translate(self._stood_for)
        # Only double quotes have escapes, so only there a text can hold what ``build`` did not see.
        if event.style == '"' and (refusal := refused(text)):
            _refuse(refusal.detail, _start(event))
        if self._key is None and type(self._container) is dict:
            self._set_key(text, event)
        elif event.style:
            self._place(text, event)
        else:
            self._place(_plain(text), event, text)

    def _set_key(self, text: str, event: Any) -> None:  # noqa: ANN401
        if text in self._container:
            _refuse(f"the key {text[:100]!r} stands twice in one mapping", _start(event))
        if text == "<<" and not event.style:
            _refuse("merge keys (<<) are not read; write the values out", _start(event))
        self._key = text

    def _start_mapping(self, event: Any) -> None:  # noqa: ANN401
        self._start({}, event)

    def _start_sequence(self, event: Any) -> None:  # noqa: ANN401
        self._start([], event)

    def _start(self, container: dict[str, Any] | list[Any], event: Any) -> None:  # noqa: ANN401
        if event.tag is not None or event.anchor is not None:
            _refuse("tags and anchors are not read; write the value out", _start(event))
        if self._key is None and type(self._container) is dict:
            _refuse("a key must be a scalar", _start(event))
        self._nodes += 1
        # Nothing recurses here, but what reads the data does, and encoders of JSON refuse deep nesting.
        if len(self._stack) >= MAX_DEPTH or self._nodes > MAX_NODES:
            _refuse(f"nested deeper than {MAX_DEPTH}, or more than {MAX_NODES:,} lists and mappings", _start(event))
        self._place(container, event)
        self._stack.append((self._container, self._key))
        self._container, self._key = container, None

    def _end(self, _event: object) -> None:
        self._container, self._key = self._stack.pop()

    def _refuse_alias(self, event: Any) -> None:  # noqa: ANN401
        _refuse("aliases (*) are not read; write the value out", _start(event))

    def _start_document(self, event: Any) -> None:  # noqa: ANN401
        self._documents += 1
        if self._documents > 1:
            _refuse("one document is read, and here another one starts", _start(event))
        if event.version is not None or event.tags:
            _refuse("directives (%) are not read", _start(event))

    def _end_document(self, _event: object) -> None:
        """Nothing to do: what matters is whether another one starts."""


def _plain(text: str) -> object:
    """Return what a plain scalar stands for."""
    if text in _PLAIN:
        return _PLAIN[text]
    if text[0] in _NUMBER_STARTS:
        if _INTEGER.fullmatch(text):
            return integer(text)
        if _FLOAT.fullmatch(text):
            return finite(text)
    return text


def _start(event: Any) -> Mark:  # noqa: ANN401
    return _counted(event.start_mark)


def _mark_of(fault: yaml.MarkedYAMLError) -> Mark:
    mark = fault.problem_mark or fault.context_mark
    return _counted(mark) if mark else (1, 1)


def _counted(mark: Any) -> Mark:  # noqa: ANN401
    return mark.line + 1, mark.column + 1


def _refuse(detail: str, mark: Mark) -> NoReturn:
    raise NotPlainYaml(detail, mark)
