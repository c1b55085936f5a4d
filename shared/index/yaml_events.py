"""YAML as plain data: one pass over libyaml's events, with no tags, anchors, aliases, merge keys or repeated keys.

None of PyYAML's loaders is used: they resolve dates and sexagesimals, explode merge keys while loading, and crash on
deep nesting. The events come one by one, so that a bound is met before anything large is made. Plain scalars are read
by the rules of the YAML 1.2 core schema for null, booleans, decimal integers and finite floats; all else stays text.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

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

from shared.strict_json import CONTROL, MAX_DEPTH, finite, integer

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


class NotPlainYaml(ValueError):  # noqa: N818 - a verdict, not a failure
    """The text is not YAML that is read as data; *line* and *column* count from 1."""

    def __init__(self, detail: str, mark: Mark) -> None:
        super().__init__(detail)
        self.line, self.column = mark


def parse(text: str) -> Any:  # noqa: ANN401 - data not yet checked
    """Return the data that *text* holds, or raise NotPlainYaml at the first place that is not plain data."""
    return _Builder().build(text)


def locate(text: str, pointers: list[str]) -> list[Mark]:
    """Return where the value at each JSON Pointer starts in *text*; of a missing one, where its parent does."""
    builder = _Builder(marks={})
    root = builder.build(text)
    return [builder.find(root, pointer) for pointer in pointers]


class _Builder:
    """Builds plain data from events; remembers where each value started when given somewhere to put it."""

    def __init__(self, marks: dict[tuple[int, object], Mark] | None = None) -> None:
        self._marks = marks
        self._stack: list[tuple[dict[str, Any] | list[Any], str | None]] = []
        self._container: dict[str, Any] | list[Any] = []
        self._key: str | None = None
        self._nodes = 0
        self._documents = 0
        self._handlers = {
            ScalarEvent: self._scalar,
            MappingStartEvent: self._start_mapping,
            SequenceStartEvent: self._start_sequence,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            AliasEvent: self._refuse_alias,
            DocumentStartEvent: self._start_document,
            DocumentEndEvent: self._end_document,
        }

    def build(self, text: str) -> Any:  # noqa: ANN401 - data not yet checked
        if found := CONTROL.search(text):
            _refuse(f"the character U+{ord(found[0]):04X} is not allowed", _mark_at(text, found.start()))
        root: list[Any] = []
        self._container = root
        handlers, next_event = self._handlers, yaml.CSafeLoader(text).get_event
        try:
            while (kind := type(event := next_event())) is not StreamEndEvent:
                if handler := handlers.get(kind):
                    handler(event)
        except yaml.MarkedYAMLError as fault:
            raise NotPlainYaml(f"not YAML: {fault.problem}", _mark_of(fault)) from fault
        return root[0] if root else None

    def find(self, root: object, pointer: str) -> Mark:
        """Return the mark of *pointer* below *root*, or of the nearest value above it that exists."""
        marks = self._marks or {}
        mark, here = (1, 1), root
        for step in pointer.split("/")[1:]:
            name: str | int = step.replace("~1", "/").replace("~0", "~")
            if isinstance(here, list):
                name = int(name)
            if (id(here), name) not in marks:
                break
            mark = marks[id(here), name]
            here = here[name]  # type: ignore[index]
        return mark

    def _place(self, value: object, event: Any) -> None:  # noqa: ANN401 - PyYAML's events have no types
        container = self._container
        if isinstance(container, list):
            place: object = len(container)
            container.append(value)
        else:
            place = self._key
            container[place] = value  # type: ignore[index]
            self._key = None
        if self._marks is not None:
            self._marks[id(container), place] = _start(event)

    def _scalar(self, event: Any) -> None:  # noqa: ANN401
        if event.tag is not None or event.anchor is not None:
            _refuse("tags and anchors are not read; write the value out", _start(event))
        text = event.value
        if event.style == '"' and (found := CONTROL.search(text)):
            _refuse(f"the character U+{ord(found[0]):04X} is not allowed", _start(event))
        if self._key is None and type(self._container) is dict:
            self._set_key(text, event)
        else:
            self._place(text if event.style else _plain(text), event)

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
        if self._documents > 1 or event.version is not None or event.tags:
            _refuse("one document without directives is read", _start(event))

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
    return event.start_mark.line + 1, event.start_mark.column + 1


def _mark_of(fault: yaml.MarkedYAMLError) -> Mark:
    mark = fault.problem_mark or fault.context_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _mark_at(text: str, offset: int) -> Mark:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _refuse(detail: str, mark: Mark) -> NoReturn:
    raise NotPlainYaml(detail, mark)
