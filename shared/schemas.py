"""The schemas of schemas/: read once, compiled at their first use, with checkers that name every offence.

A valid document only passes compiled code (fastjsonschema). One that fails there is validated again by jsonschema,
which finds every offence, but is slower by far.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import fastjsonschema
import yaml

from shared.problems import Offence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from jsonschema import Draft7Validator
    from jsonschema.exceptions import ValidationError

FOLDER = Path(__file__).resolve().parent.parent / "schemas"
NAMES = ("capability-index", "federation", "federated-index", "hub-registration", "problem")
MAX_OFFENCES = 100


# Read at the start: a write must not fail because no file can be opened when the first one comes.
_YAML = {name: (FOLDER / f"{name}.schema.yaml").read_text(encoding="utf-8") for name in NAMES}


def text(name: str) -> str:
    """Return the text of the schema *name*, one of NAMES, in YAML."""
    return _YAML[name]


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the schema *name*, one of NAMES; it is shared, and must not be changed."""
    loaded: dict[str, Any] = yaml.safe_load(text(name))
    return loaded


@cache
def checker(name: str, part: str | None = None) -> Callable[[object], list[Offence]]:
    """Return a function that lists the offences of a document, at most 100, sorted by their pointers.

    *part* names one of the schema's ``$defs`` to check against, in place of the whole.
    """
    rules = schema(name)
    if part is not None:
        rules = {"$schema": rules["$schema"], "$defs": rules["$defs"], **rules["$defs"][part]}
    return checker_of(rules)


def checker_of(rules: dict[str, Any]) -> Callable[[object], list[Offence]]:
    """Return the checker of the schema *rules* (JSON Schema, draft 7); it adds no defaults to documents."""
    accept = fastjsonschema.compile(rules, use_default=False)

    def check(document: object) -> list[Offence]:
        try:
            accept(document)
        except fastjsonschema.JsonSchemaValueException as fault:
            return _collect(rules, document) or [Offence("", str(fault.message)[:300])]
        return []

    return check


def _collect(rules: dict[str, Any], document: object) -> list[Offence]:
    offences: set[Offence] = set()
    for fault in _collector()(rules).iter_errors(document):
        offences.update(islice(_offences(fault), MAX_OFFENCES))
        if len(offences) >= MAX_OFFENCES:
            break
    return sorted(offences)[:MAX_OFFENCES]


@cache
def _collector() -> type[Draft7Validator]:
    """Return a validator whose time for an invalid document is linear in its size.

    It does not descend into values that are too long or too large, and makes no error per alternative of anyOf and
    oneOf.
    """
    # Imported here and in _fault: a hub that never sees a bad document never pays for it.
    from jsonschema import Draft7Validator, validators  # noqa: PLC0415

    of_members = ("propertyNames", "additionalProperties", "patternProperties")
    bounds = {"items": "maxItems", **dict.fromkeys(of_members, "maxProperties")}
    bounded = {keyword: _within(Draft7Validator.VALIDATORS[keyword], bound) for keyword, bound in bounds.items()}
    own = {"pattern": _pattern, "anyOf": _any_of, "oneOf": _one_of, **bounded}
    return cast("type[Draft7Validator]", validators.extend(Draft7Validator, own))  # type: ignore[no-untyped-call]


def _within(usual: Any, bound: str) -> Callable[..., Iterator[ValidationError]]:  # noqa: ANN401 - jsonschema's own
    def bounded(validator: object, expected: object, value: object, rules: dict[str, Any]) -> Iterator[ValidationError]:
        if not isinstance(value, dict | list) or len(value) <= rules.get(bound, len(value)):
            yield from usual(validator, expected, value, rules)

    return bounded


def _pattern(_: object, pattern: str, text: object, rules: dict[str, Any]) -> Iterator[ValidationError]:
    if not isinstance(text, str) or len(text) > rules.get("maxLength", len(text)):
        return
    # In Python's patterns $ also matches before a line feed at the end; in JSON Schema's (ECMA 262) it does not.
    if not re.search(pattern.replace("$", r"\Z"), text):
        yield _fault()


def _any_of(validator: Draft7Validator, alternatives: list[Any], value: object, _: object) -> Iterator[ValidationError]:
    # The usual one makes an error for each item of a list under each alternative.
    if not any(validator.evolve(schema=rules).is_valid(value) for rules in alternatives):
        yield _fault()


def _one_of(validator: Draft7Validator, alternatives: list[Any], value: object, _: object) -> Iterator[ValidationError]:
    if sum(validator.evolve(schema=rules).is_valid(value) for rules in alternatives) != 1:
        yield _fault()


def _fault() -> ValidationError:
    from jsonschema import ValidationError  # noqa: PLC0415

    return ValidationError("")


LONGEST_POINTER = 500
"""Characters of a pointer; its steps are names from the document, and may be as long as that."""


def pointer(path: Iterable[object]) -> str:
    """Return the JSON Pointer (RFC 6901) of the steps in *path*, cut off after LONGEST_POINTER characters."""
    steps = (str(step)[:LONGEST_POINTER].replace("~", "~0").replace("/", "~1") for step in path)
    return "".join(f"/{step}" for step in steps)[:LONGEST_POINTER]


def _offences(fault: ValidationError) -> Iterator[Offence]:
    """Yield *fault* of the validator as offences, whose sentences never repeat a value of the document."""
    path, keyword = list(fault.absolute_path), str(fault.validator)
    broken = cast("dict[str, Any]", fault.schema)
    if keyword in _BY_MEMBER:
        for member in _BY_MEMBER[keyword](broken, cast("dict[str, Any]", fault.instance)):
            near = _nearest(broken, member) if keyword == "additionalProperties" else ""
            yield Offence(pointer([*path, member]), f"{_MEMBER_TEXTS[keyword]}{near}")
        return
    sentence = _words(keyword, broken[keyword])
    about = broken.get("description") if keyword in {"pattern", "not"} else None
    yield Offence(pointer(path), f"{sentence}: {about.rstrip('.')}" if about else sentence)


def _words(keyword: str, value: Any) -> str:  # noqa: ANN401 - of any kind, by the keyword
    """Return the sentence for a value that breaks *keyword* of a schema, whose own value is *value*."""
    if keyword == "type" and isinstance(value, list):
        return f"must be {', or '.join(_ALTERNATIVES[kind] for kind in value)}"
    if keyword == "enum":
        return f"must be one of {', '.join(value)}"
    return _TYPES[value] if keyword == "type" else _TEXTS.get(keyword, "is not as the schema asks").format(value)


def _missing(broken: dict[str, Any], instance: dict[str, Any]) -> list[str]:
    return [name for name in broken["required"] if name not in instance]


def _unknown(broken: dict[str, Any], instance: dict[str, Any]) -> list[str]:
    return [name for name in instance if name not in broken["properties"]]


def _nearest(broken: dict[str, Any], member: str) -> str:
    """Return "did you mean" with the field whose name is nearest to *member*, empty where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415

    names = get_close_matches(member, broken["properties"]) if len(member) <= _LONGEST_NAME else []
    return f"; did you mean {names[0]}?" if names else ""


_LONGEST_NAME = 40
_BY_MEMBER: dict[str, Callable[[dict[str, Any], dict[str, Any]], list[str]]] = {
    "required": _missing,
    "additionalProperties": _unknown,
}
UNKNOWN = "is not a known field"
REQUIRED = "is required"
_MEMBER_TEXTS = {"required": REQUIRED, "additionalProperties": UNKNOWN}
_TEXTS = {
    "pattern": "does not match {}",
    "maxLength": "is longer than {:,} characters",
    "minLength": "must not be empty",
    "minimum": "must be at least {}",
    "maximum": "must be at most {:,}",
    "maxItems": "has more than {:,} entries",
    "const": "must be {}",
    "not": "is not allowed",
    "oneOf": "needs exactly one of url and index",
    "anyOf": "must be a scalar, or a list of at most 50 scalars, each of at most 1,000 characters",
}
_TYPES = {
    "string": "must be text (in quotes if it looks like a number)",
    "integer": "must be a whole number",
    "boolean": "must be true or false",
    "array": "must be a list",
    "object": "must be a mapping of names to values",
}
_ALTERNATIVES = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
