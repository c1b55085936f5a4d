from __future__ import annotations

from shared.compose import Composition
from shared.federation.dates import dated, disputed, missing

OTHERS = [{"repo": "x", "identical": True}, {"repo": "y", "identical": False}]
CONFLICT = {"id": "a.b", "repo": "first", "others": OTHERS}


def composition(*required: str, conflicts: bool = False) -> Composition:
    return Composition(list(required), [], [], [CONFLICT] if conflicts else [])


def test_a_trouble_keeps_its_date_while_it_lasts() -> None:
    first = dated(composition("one"), {}, "T1")

    second = dated(composition("one", "two", conflicts=True), first, "T2")
    third = dated(composition("two"), second, "T3")

    assert second == {
        missing("one"): "T1",
        missing("two"): "T2",
        disputed("a.b", "first", "x"): "T2",
        disputed("a.b", "first", "y"): "T2",
    }
    assert third == {missing("two"): "T2"}
    assert dated(composition("one"), third, "T4") == {missing("one"): "T4"}
