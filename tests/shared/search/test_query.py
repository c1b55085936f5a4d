from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search.query import SearchRequest, words


def test_searches_that_ask_the_same_are_equal_and_can_be_looked_up() -> None:
    one, same, other = (SearchRequest(terms=("a",), filters=(("tag", (tag,)),)) for tag in "xxy")

    assert {one: 1}[same] == 1
    assert one != other


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("capability.registry_read-all", ["capability", "registry", "read", "all"], id="an id"),
        pytest.param("Zürich, STRASSE straße!", ["zurich", "strasse", "strasse"], id="accents and case"),
        pytest.param("\ufb01le \uff37\uff49de x\u00b2", ["file", "wide", "x2"], id="forms of letters"),
        pytest.param("İstanbul", ["istanbul"], id="a letter that becomes two when small"),
        pytest.param("日本語 Привет", ["日本語", "привет"], id="other scripts"),
        pytest.param('" OR NEAR(* ^ {id}: ', ["or", "near", "id"], id="signs"),
        pytest.param("--- …", [], id="no word"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_letters_and_digits_make_words(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text())
def test_a_word_is_one_word(text: str) -> None:
    for word in words(text):
        assert words(word) == [word]
        assert not {'"', " ", "\0"} & set(word)
