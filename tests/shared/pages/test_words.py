from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.model import status
from shared.pages.words import NEEDS_A_LOOK, STATES, ago, count, moment, span, web_address

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stamp", "told"),
    [
        ("2026-11-23T10:00:00Z", "just now"),
        ("2026-11-23T09:59:16Z", "just now"),
        ("2026-11-23T09:59:15Z", "1 min ago"),
        ("2026-11-23T09:56:00Z", "4 min ago"),
        ("2026-11-23T09:01:00Z", "59 min ago"),
        ("2026-11-23T09:00:00Z", "1 h ago"),
        ("2026-11-21T11:00:00Z", "47 h ago"),
        ("2026-11-21T10:00:00Z", "2 days ago"),
        ("2026-09-25T10:00:00Z", "59 days ago"),
        ("2026-08-24T10:00:00Z", "3 months ago"),
        ("2026-11-23T10:00:30Z", "in a moment"),
        ("2026-11-23T10:12:00.123456Z", "in 12 min"),
        ("2026-11-23T12:00:00+01:00", "in 1 h"),
    ],
)
def test_times_are_told_as_people_tell_them(stamp: str, told: str) -> None:
    assert ago(stamp, NOW) == told


def test_lengths_and_moments_are_told_in_words() -> None:
    assert [span(30), span(3600), span(604_800)] == ["1 min", "1 h", "7 days"]
    assert moment("2026-11-03T01:05:59+01:00") == "3 Nov 2026, 00:05 UTC"


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"])
def test_a_moment_that_utc_can_not_tell_is_shown_as_it_is(stamp: str) -> None:
    assert moment(stamp) == stamp


def test_numbers_come_with_their_nouns() -> None:
    assert [count(1, "source"), count(0, "source"), count(1203, "source")] == ["1 source", "0 sources", "1,203 sources"]
    assert count(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize("url", ["https://git.example.org/a", "http://127.0.0.1:81/x?y#z", "HTTPS://example.org"])
def test_links_lead_to_the_web(url: str) -> None:
    assert web_address(url) == url


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//example.org", "/v1/repos", "", "https:", "http://[", None, 7]
)
def test_and_nowhere_else(url: object) -> None:
    assert web_address(url) == ""


def test_every_state_has_its_meaning_and_its_place() -> None:
    assert set(STATES) == set(status.STATES)
    assert {*NEEDS_A_LOOK, "fresh", "disabled"} == set(status.STATES)
