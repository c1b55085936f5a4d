from __future__ import annotations

from typing import get_type_hints

from shared.storage.engine import Engine, Head, Shown


def test_a_hub_that_served_nothing_yet_is_at_serial_0() -> None:
    assert Shown(Head(), []).head == (0, "", "", {})


def test_everything_durable_stands_in_one_port() -> None:
    assert {"registrations", "editions", "past"} <= set(Engine.__annotations__)
    assert get_type_hints(Head)["serial"] is int
