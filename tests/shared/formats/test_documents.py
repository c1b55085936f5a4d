from __future__ import annotations

import pytest

from shared.formats.documents import DocumentFaulty, Fault, read_data
from shared.problems import SourceNotAnIndex


def test_the_message_names_the_first_fault_and_counts_the_others() -> None:
    one = DocumentFaulty([Fault(3, 7, "/capabilities/0/id", "does not match")])
    more = DocumentFaulty([Fault(1, 1, "", "is not UTF-8"), Fault(2, 1, "", "x"), Fault(3, 1, "", "x")])

    assert str(one) == "Line 3, column 7: /capabilities/0/id does not match."
    assert str(more) == "Line 1, column 1: is not UTF-8 (and 2 more)."


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>", b"\n  <html>", b"<?xml version='1.0'?>"])
def test_markup_is_no_document(body: bytes) -> None:
    with pytest.raises(SourceNotAnIndex, match="publish a raw URL"):
        read_data(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"a": [1, "x"]}', id="JSON"),
        pytest.param(b"\xef\xbb\xbfa: [1, x]\n", id="YAML with a byte order mark"),
        pytest.param(b"{a: [1, x]}", id="YAML that starts like JSON"),
    ],
)
def test_one_document_is_the_same_data_in_every_form(body: bytes) -> None:
    text, data = read_data(body)

    assert data == {"a": [1, "x"]}
    assert text.encode() == body.removeprefix(b"\xef\xbb\xbf")
