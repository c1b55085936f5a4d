from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import pytest

from shared.saved import fitting, is_moment

NOW = "2026-11-23T10:00:00Z"


class Inner(NamedTuple):
    """A record within another."""

    until: float
    ids: bytes


@dataclass(frozen=True)
class Outer:
    """A record with every type of field that there is."""

    state: Literal["on", "off"] = "on"
    checked_at: str | None = None
    registered_at: str = NOW
    since: str = NOW
    text: str = ""
    count: int = 0
    size: int | None = None
    enabled: bool = False
    ran: float = 0.0
    facts: dict[str, Any] | None = None
    past: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"checked_at": "2026-11-23T10:00:00.123456+01:00", "registered_at": "", "size": 2**53 - 1, "ran": -1},
        {"facts": {"a": None}, "past": (Inner(1, b""), Inner(0.5, b"x")), "state": "off", "enabled": True},
    ],
)
def test_what_fits_is_returned(changes: dict[str, Any]) -> None:
    record = replace(Outer(), **changes)

    assert fitting(record) is record


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "gone"), ("state", []), ("checked_at", ""), ("checked_at", "2026-11-23"), ("checked_at", 7),
        ("since", ""), ("since", "2026-13-23T10:00:00Z"), ("since", None), ("registered_at", "x"), ("text", None),
        ("count", -1), ("count", 2**53), ("count", True), ("count", 1.0), ("count", "1"), ("size", []),
        ("enabled", 1), ("enabled", None), ("ran", float("nan")), ("ran", float("inf")), ("ran", True), ("ran", "0"),
        ("facts", []), ("past", [Inner(1, b"")]), ("past", ((1, b""),)), ("past", (Inner("1", b""),)),  # type: ignore[arg-type]
        ("past", (Inner(1, "x"),)),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^Outer.{name}$"):
        fitting(replace(Outer(), **{name: value}))


@pytest.mark.parametrize(("value", "is_one"), [(NOW, True), ("2026-11-23T10:00:00", False), ("", False), (1, False)])
def test_a_moment_has_an_offset(value: object, *, is_one: bool) -> None:
    assert is_moment(value) is is_one
