from __future__ import annotations

from shared.pages.typed import typed


def test_what_is_typed_is_cut_to_size() -> None:
    assert typed("  " + "x" * 300 + " ") == "x" * 200
    assert typed(" read  invoice\n") == "read  invoice"


def test_what_comes_along_unseen_is_taken_out() -> None:
    assert typed("\ufeffread \u202einvoice\u202c\x00\u200b\u200b\u200b") == "read invoice"
    assert typed("\u0645\u06cc\u200c\u062e\u0648") == "\u0645\u06cc\u200c\u062e\u0648"
