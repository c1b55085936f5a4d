from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.characters import hiding, position, refused, shapeless, visible

TAGS = {name: "".join(chr(0xE0000 + ord(letter)) for letter in name) for name in ("gbeng", "gbsct", "gbwls", "gbxxx")}
END = "\U000e007f"
FLAG = "\U0001f3f4"
STAYS = [
    pytest.param("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", id="Persian, with a non-joiner"),
    pytest.param("\u0d9a\u0dca\u200d\u0dc2", id="Sinhala, with a joiner"),
    pytest.param("\u05e9\u05dc\u05d5\u05dd (reuse) \u05d0\u05ea", id="Hebrew with Latin"),
    pytest.param("\u200f\u0645\u0631\u062d\u0628\u0627\u061c 12\u200e", id="Arabic with marks of direction"),
    pytest.param("\U0001f468\u200d\U0001f469\u200d\U0001f467", id="a family of several emoji"),
    pytest.param("\U0001f3f3\ufe0f\u200d\U0001f308", id="a flag of several emoji"),
    pytest.param("\u2764\ufe0f \u845b\U000e0100", id="variation selectors"),
    pytest.param("co\xadoperate \u2060and\u200bwrap", id="where lines may break, and may not"),
    pytest.param(FLAG + TAGS["gbeng"] + END + FLAG + TAGS["gbsct"] + END + FLAG + TAGS["gbwls"] + END, id="flags"),
    pytest.param("\u0e44\u0e17\u0e22\u200b\u0e44\u0e17\u0e22 \u180e \u182e\u180b\u1830", id="Thai and Mongolian"),
    pytest.param("one\u2028two\u2029three\ttab\r\n", id="separators and line breaks"),
]


@pytest.mark.parametrize("text", STAYS)
def test_what_scripts_and_emoji_need_stays(text: str) -> None:
    assert refused(text) is None
    assert hiding(text) is None


@pytest.mark.parametrize(
    ("text", "offset", "says"),
    [
        pytest.param("Pay \u202eevil\u202c roll", 4, "U+202E (right-to-left override)", id="an override"),
        pytest.param("\u2066begins", 0, "U+2066 (left-to-right isolate)", id="an isolate without an end"),
        pytest.param("x\U000e0041\U000e0042", 1, "U+E0041 (tag latin capital letter a)", id="tags"),
        pytest.param(FLAG + TAGS["gbxxx"] + END, 1, "U+E0067", id="tags after a flag that is no emoji"),
        pytest.param(FLAG + TAGS["gbeng"] + "\U000e0041" + END, 1, "U+E0067", id="more tags than the flag has"),
        pytest.param(TAGS["gbeng"] + END, 0, "U+E0067", id="the tags without the flag"),
        pytest.param(FLAG + TAGS["gbeng"] + END + "\U000e0041", 7, "U+E0041", id="tags behind a flag"),
        pytest.param("a\u200b\u200c\u200d\u2060b", 1, "more than two characters in a row", id="a message of joiners"),
        pytest.param("\U0001f600\ufe01\ufe02\ufe03", 1, "U+FE01", id="a message of variation selectors"),
        pytest.param("\U0001f600\U000e0101\U000e0102\U000e0103", 1, "U+E0101", id="of the other selectors"),
        pytest.param("a\ufeffb", 1, "U+FEFF", id="a byte order mark"),
        pytest.param("a\ud800b", 1, "U+D800 is not allowed", id="half a character"),
    ],
)
def test_what_hides_or_turns_round_is_refused(text: str, offset: int, says: str) -> None:
    for judge in (refused, hiding):
        refusal = judge(text)

        assert refusal is not None
        assert refusal.offset == offset
        assert says in refusal.detail
        assert text.startswith(refusal.letters, offset) or FLAG in text


@pytest.mark.parametrize("letter", ["\x00", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\ufdd0", "\ufffe", "\uffff"])
def test_controls_are_refused_in_documents_alone(letter: str) -> None:
    refusal = refused(f"ä{letter}")

    assert refusal is not None
    assert (refusal.detail, refusal.offset) == (f"the character U+{ord(letter):04X} is not allowed", 1)
    assert hiding(f"ä{letter}") is None


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Cn", "Co", "Mn", "Lo"])))
def test_letters_and_signs_of_every_script_are_let_through(text: str) -> None:
    assert refused(text) is None


@given(st.text(max_size=30))
def test_what_is_let_through_holds_no_character_of_the_refused_kinds(text: str) -> None:
    if refused(text) is None:
        # By the property of Unicode, not by the list of ours; flags are drawn by no chance.
        assert not [one for one in text if unicodedata.bidirectional(one) in {"LRE", "RLE", "LRO", "RLO", "PDF"}]
        assert not [one for one in text if unicodedata.bidirectional(one) in {"LRI", "RLI", "FSI", "PDI"}]
        assert not [one for one in text if "\U000e0000" <= one <= "\U000e007f"]
        assert hiding(text) is None


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a", True), ("\ufdfa", True), ("\U0001f600", True), ("a\u200b", True), ("\u093c", True),
        ("", False), ("   ", False),
        ("\u200b", False), ("\xa0\u3000\u2003", False), ("\u200c\u200d", False), ("\u3164", False),
        ("\u115f\u1160", False), ("\u2800", False), ("\xad", False), ("\ufe0f", False),
        ("\u200e\u061c", False), ("\u2028\u2029", False),
    ],
)  # fmt: skip
def test_tells_whether_something_can_be_seen(text: str, seen: bool) -> None:
    assert visible(text) is seen
    assert shapeless(text) is (not seen and text.strip() != "")


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\u2028\x85\t"), max_size=30), st.data())
def test_a_position_counts_the_ends_of_lines_and_characters(text: str, data: st.DataObject) -> None:
    lines = re.split("\r\n|\r|\n", text)
    line = data.draw(st.integers(0, len(lines) - 1))
    before = re.match(f"(?:[^\r\n]*(?:\r\n|\r|\n)){{{line}}}", text)
    assert before is not None

    column = data.draw(st.integers(0, len(lines[line])))

    assert position(text, before.end() + column) == (line + 1, column + 1)
