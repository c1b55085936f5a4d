from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.parameters import HTML, JSON, YAML, cursor, cursor_to, flag, one_of, short, slug, whole
from shared.problems import BadQuery, NotAcceptable
from shared.web.query import prefers_html, read_query, split, weights
from tests.shared.asking import asking

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH = (JSON, YAML)


def test_reads_each_parameter_by_its_reader() -> None:
    asked = read_query(asking(query="limit=7&enabled=true"), limit=whole(1, 9), enabled=flag, state=slug)

    assert asked == {"limit": 7, "enabled": True}
    assert asked.media_type == JSON


def test_a_parameter_without_a_value_is_read() -> None:
    with pytest.raises(BadQuery, match="limit must be a whole number from 1 to 9"):
        read_query(asking(query="limit="), limit=whole(1, 9))


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("colour=red", "'colour' is not a parameter .*; it takes enabled, limit", id="unknown"),
        pytest.param("Limit=7", "'Limit' is not a parameter", id="another case"),
        pytest.param("limit=7&limit=7", "'limit' is given twice", id="twice"),
        pytest.param("limit=7&limit=8", "'limit' is given twice", id="twice, with other values"),
        pytest.param("limit=0", "limit must be a whole number from 1 to 9", id="too little"),
        pytest.param("enabled=yes", "enabled must be one of true, false", id="no flag"),
        pytest.param("format=yaml", "'format' is not a parameter", id="a format where there is no choice"),
        pytest.param("=7", "'' is not a parameter", id="no name"),
    ],
)  # fmt: skip
def test_refuses_a_parameter(query: str, says: str) -> None:
    with pytest.raises(BadQuery, match=says):
        read_query(asking(query=query), limit=whole(1, 9), enabled=flag)


def test_names_all_that_is_wrong_with_a_query() -> None:
    with pytest.raises(BadQuery) as raised:
        read_query(asking(query="limit=0&colour=red&enabled=1&size=2&state=a&state=b"), limit=whole(1, 9),
                   enabled=flag, state=slug)  # fmt: skip

    assert raised.value.detail == (
        "'colour', 'size' are not parameters of this endpoint; it takes enabled, limit, state. 'state' is given twice. "
        "limit must be a whole number from 1 to 9. enabled must be one of true, false."
    )


def test_many_unknown_parameters_are_counted() -> None:
    with pytest.raises(BadQuery, match=r"'n19' and 80 more are not parameters"):
        read_query(asking(query="&".join(f"n{number}=1" for number in range(100))))


@pytest.mark.parametrize("query", ["&".join(["x=1"] * 101), "&" * 100], ids=["parameters", "separators"])
def test_a_query_of_more_parameters_than_any_endpoint_takes_is_not_read(query: str) -> None:
    with pytest.raises(BadQuery, match="at most 100 parameters"):
        read_query(asking(query=query), x=flag)


def test_an_endpoint_without_parameters_says_so() -> None:
    with pytest.raises(BadQuery, match=r"it takes none[.]$"):
        read_query(asking(query="a=1"))


def test_repeats_only_the_start_of_what_was_sent() -> None:
    with pytest.raises(BadQuery) as raised:
        read_query(asking(query="n" * 5000 + "=1"))

    assert len(raised.value.detail) <= 500


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        pytest.param(flag, "true", True, id="true"),
        pytest.param(flag, "false", False, id="false"),
        pytest.param(one_of("a", "b"), "b", "b", id="one of two"),
        pytest.param(whole(1, 1000), "1", 1, id="the least"),
        pytest.param(whole(1, 1000), "1000", 1000, id="the most"),
        pytest.param(whole(0, 10), "007", 7, id="zeros ahead"),
        pytest.param(short, "a\n", "a\n", id="any text"),
        pytest.param(short, "é" * 200, "é" * 200, id="a text of 200"),
        pytest.param(slug, "a", "a", id="a short slug"),
        pytest.param(slug, "9" + "._-z" * 24 + "abc", "9" + "._-z" * 24 + "abc", id="a slug of 100"),
    ],
)
def test_reads_a_good_value(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        pytest.param(flag, "True", id="upper case"),
        pytest.param(flag, "1", id="a number for a flag"),
        pytest.param(one_of("a", "b"), "", id="none of two"),
        pytest.param(whole(1, 1000), "1001", id="too much"),
        pytest.param(whole(1, 1000), "-1", id="negative"),
        pytest.param(whole(1, 1000), "1.0", id="a fraction"),
        pytest.param(whole(1, 1000), "٣", id="a digit beyond ASCII"),
        pytest.param(whole(1, 1000), "7\n", id="a line feed after a number"),
        pytest.param(whole(1, 1000), "9" * 5000, id="a huge number"),
        pytest.param(short, "", id="no text"),
        pytest.param(short, "é" * 201, id="a text of 201"),
        pytest.param(short, "a\u202eb", id="a text with an override"),
        pytest.param(short, "a\u200b\u200b\u200bb", id="a text that hides another"),
        pytest.param(slug, "", id="no slug"),
        pytest.param(slug, "Upper", id="an upper case slug"),
        pytest.param(slug, ".a", id="a dot at the start"),
        pytest.param(slug, "a\n", id="a line feed after a slug"),
        pytest.param(slug, "a" * 101, id="a slug of 101"),
        pytest.param(cursor, "", id="an empty cursor"),
        pytest.param(cursor, "!!!!", id="no cursor"),
        pytest.param(cursor, "YQ", id="a cut cursor"),
        pytest.param(cursor, "YQ==YQ==", id="two cursors"),
        pytest.param(cursor, "Y*Q==", id="a cursor with dirt"),
        pytest.param(cursor, "YR==", id="a cursor with stray bits"),
        pytest.param(cursor, "_w==", id="a cursor of no UTF-8"),
        pytest.param(cursor, "ü", id="a cursor beyond ASCII"),
    ],
)
def test_refuses_a_bad_value(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        read(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_cursor_is_the_position_that_it_was_made_of(position: str) -> None:
    assert cursor(cursor_to(position)) == position


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        pytest.param([], JSON, id="no wish"),
        pytest.param([""], JSON, id="an empty wish"),
        pytest.param(["*/*"], JSON, id="anything"),
        pytest.param(["application/*"], JSON, id="any of a kind"),
        pytest.param(["application/yaml"], YAML, id="yaml"),
        pytest.param(["Application/YAML"], YAML, id="upper case"),
        pytest.param(["text/yaml"], YAML, id="an old name of yaml"),
        pytest.param(["application/x-yaml, */*;q=0.1"], YAML, id="an old name first"),
        pytest.param(["application/json, application/yaml"], JSON, id="a tie"),
        pytest.param(["application/yaml, application/json"], JSON, id="a tie the other way round"),
        pytest.param(["application/json;q=0.5, application/yaml;q=0.8"], YAML, id="weights"),
        pytest.param(["application/json; q=0.5", "application/yaml"], YAML, id="two headers"),
        pytest.param(["application/json;q=0, */*"], YAML, id="anything but json"),
        pytest.param(["text/html, application/yaml;q=0.001"], YAML, id="a small weight"),
        pytest.param(["*/*;q=1.0, application/json;q=0.9"], YAML, id="the closer name counts"),
        pytest.param(["application/yaml;q=2, application/json;q=0.1"], JSON, id="a malformed weight"),
        pytest.param(["application/yaml;v=1;q=0.9, application/json;q=0.5"], YAML, id="a parameter before the weight"),
        pytest.param(["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"], JSON, id="java"),
        pytest.param(["*"], JSON, id="an asterisk"),
        pytest.param(["text/html, *"], JSON, id="an asterisk behind another type"),
        pytest.param(["application/yaml;q=.5"], YAML, id="a weight without its zero"),
        pytest.param(["application/yaml, */*"], YAML, id="the closer name wins a tie"),
        pytest.param(["application/json;q=x, application/yaml;q=.1"], YAML, id="a weight that is none"),
        pytest.param(["nonsense"], JSON, id="nothing that makes sense"),
        pytest.param([","], JSON, id="an empty list"),
        pytest.param(["application/yaml, text/yaml;q=0.1, application/json;q=0.5"], YAML, id="two names of yaml"),
    ],
)
def test_chooses_by_accept(accept: list[str], media_type: str) -> None:
    request = asking(*[("accept", value) for value in accept])

    assert read_query(request, BOTH).media_type == media_type


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/json;q=0", "*/*;q=0", "text/*", "application/xml, image/*", "*;q=0", "text/html, x y"],
)
def test_refuses_where_nothing_on_offer_is_acceptable(accept: str) -> None:
    with pytest.raises(NotAcceptable, match=r"This endpoint offers application/json[.]"):
        read_query(asking(("accept", accept)))


def test_a_page_for_people_is_chosen_by_browsers() -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    assert read_query(asking(("accept", browser)), (JSON, HTML)).media_type == HTML
    for accept in ("text/*", "text/html,*/*", "*/*,text/html", "text/html;q=.9,*;q=.9"):
        assert read_query(asking(("accept", accept)), (JSON, HTML)).media_type == HTML
        assert prefers_html(asking(("accept", accept)))
    for accept in ("", "*/*", "text/html;q=0,*/*", "text/html,application/json", "text/html;q=.5,application/json"):
        assert not prefers_html(asking(("accept", accept)))


@pytest.mark.parametrize(("name", "media_type"), [("json", JSON), ("yaml", YAML)])
@pytest.mark.parametrize("accept", ["application/json", "application/yaml", "text/html"])
def test_the_format_outranks_accept(name: str, media_type: str, accept: str) -> None:
    asked = read_query(asking(("accept", accept), query=f"format={name}"), BOTH)

    assert asked.media_type == media_type


def test_refuses_another_format() -> None:
    with pytest.raises(BadQuery, match="format must be one of json, yaml"):
        read_query(asking(query="format=xml"), BOTH)


def test_reads_the_weights_of_a_header() -> None:
    assert weights("gzip, br;q=0.5, *;Q=0, deflate;q=1.1, zstd;q=") == {
        "gzip": 1.0, "br": 0.5, "*": 0.0,
    }
    assert weights('text/html;x=";q=0, a/b";q=.5, a/b') == {"text/html": 0.5, "a/b": 1.0}
    assert weights(r'a/b;x="\",;q=0";q=0.2,"";q=1') == {"a/b": 0.2}
    assert weights('a/b;x=",c/d;q=.1') == {"a/b": 1.0, "c/d": 0.1}


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        (".5", 0.5), ("0.8000", 0.8), ("1.0000", 1.0), ("1.", 1.0), ("0", 0.0), ("00.5", 0.5), ("5.0E-4", 0.0005),
        ("0.30000000000000004", 0.3), ('"0.5"', 0.5), (" 0.5 ", 0.5), ("0,5", 0.5), ("1,000", 1.0), ("0.5;x=y", 0.5),
    ],
)  # fmt: skip
def test_a_weight_is_any_number_from_0_to_1(text: str, weight: float) -> None:
    assert weights(f"a/b;q={text}, c/d") == {"a/b": pytest.approx(weight), "c/d": 1.0}


@pytest.mark.parametrize(
    "text", ["", "x", "-0.5", "1.1", "2", ".", "e-1", "nan", "inf", "0x1", "0." + "3" * 999, "1e9"], ids=ascii
)
def test_a_member_whose_weight_is_none_says_nothing(text: str) -> None:
    assert weights(f"a/b;q={text}, c/d") == {"c/d": 1.0}


def test_quotes_without_end_cost_no_more_time_than_they_are_long() -> None:
    # What went back at every quote would take minutes.
    assert split(r'"\"' * 200_001 + ",a/b", ",")[-1] == "a/b"
    assert split(r'"\""' * 200_000 + ",a/b", ",")[-1] == "a/b"
    assert weights(";q=0,5" * 600 + ",a/b") == {"a/b": 1.0}


def test_of_a_header_without_an_end_the_first_choices_count() -> None:
    assert weights("a/b;q=0.5," + "x/y," * 10_000 + "c/d") == {"a/b": 0.5, "x/y": 1.0}
    assert weights("a/b;q=0.5,c/d;" + "x" * 4000 + ",e/f") == {"a/b": 0.5}
    assert weights("a/b;" + "x" * 4000) == {}


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_header_has_weights_from_0_to_1(header: str) -> None:
    assert all(0 <= weight <= 1 for weight in weights(header).values())
