from __future__ import annotations

import pytest

from shared.parameters import ParameterReader, flag, one_of, short, slug, whole
from shared.problems import BadQuery
from shared.web.query import read_query
from tests.shared.asking import asking


def test_a_parameter_that_is_not_given_has_the_default_of_its_reader() -> None:
    size = whole(1, 9).otherwise(default=5)

    assert read_query(asking(), size=size, all=flag.otherwise(default=False)) == {"size": 5, "all": False}
    assert read_query(asking(query="size=7"), size=size) == {"size": 7}
    assert read_query(asking(), size=whole(1, 9)) == {}


def test_a_parameter_that_has_to_be_given_is_asked_for() -> None:
    since = whole(0, 9).needed("the serial of the copy")

    assert read_query(asking(query="since=0"), since=since) == {"since": 0}
    with pytest.raises(BadQuery, match=r"since must be given: the serial of the copy\."):
        read_query(asking(), since=since)


@pytest.mark.parametrize(
    ("reader", "schema"),
    [
        (flag, {"type": "boolean"}),
        (short, {"type": "string", "minLength": 1, "maxLength": 200}),
        (one_of("a", "b"), {"type": "string", "enum": ["a", "b"]}),
        (whole(1, 9), {"type": "integer", "minimum": 1, "maximum": 9}),
        (slug, {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,99}$"}),
    ],
)
def test_a_reader_says_which_texts_it_reads(reader: ParameterReader[object], schema: dict[str, object]) -> None:
    assert reader.schema == schema
