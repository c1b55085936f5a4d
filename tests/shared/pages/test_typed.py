from __future__ import annotations

from shared.pages.typed import typed


def test_what_is_typed_is_cut_to_size() -> None:
    assert typed("  " + "x" * 300 + " ") == "x" * 200
    assert typed(" read  invoice\n") == "read  invoice"
