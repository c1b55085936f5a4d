from __future__ import annotations

from dataclasses import replace

from shared.formats.capability_index import read_index
from shared.model.stored_content import (
    PATIENCE_SECONDS,
    HeldContent,
    ServedIds,
    StoredContent,
    Validators,
    is_validator,
)
from tests.builders import index

KEPT = StoredContent("https://a.example/", Validators('"1"'), "2026-11-23T10:00:00Z", read_index(index(), "a"))


def test_content_that_every_check_of_a_day_saw_has_waited_long_enough() -> None:
    held = HeldContent(KEPT, 100.0)

    assert [held.outwaited(100 + age) for age in (0, PATIENCE_SECONDS - 1, PATIENCE_SECONDS)] == [False, False, True]


def test_a_check_that_missed_it_begins_the_day_anew() -> None:
    again = StoredContent(KEPT.url, Validators('"2"'), "2026-11-24T10:00:00Z", KEPT.content)
    missed = HeldContent(replace(KEPT, instead_of="sha256:1"), 100.0).missed()

    seen = missed.again(again, 500.0)
    kept_on = seen.again(again, 900.0)

    assert not missed.outwaited(10 * PATIENCE_SECONDS)
    assert seen.seen_since == kept_on.seen_since == 500.0
    assert (seen.stored.validators.etag, seen.stored.changed_at) == ('"2"', KEPT.changed_at)
    assert seen.stored.instead_of == "sha256:1"


def test_what_no_source_sends_makes_no_request_conditional() -> None:
    assert Validators('"1"', "Mon").conditions() == {"etag": '"1"', "last_modified": "Mon"}
    assert Validators('"' + "x" * 256, "").conditions() == {}
    assert [is_validator(value) for value in ("x" * 256, "x" * 257, "\n", "\u00e4")] == [True, False, False, False]


def test_a_set_of_ids_has_eight_bytes_for_each() -> None:
    assert ServedIds(1.0, b"12345678" * 3).size == 3


def test_contents_are_the_same_when_their_digests_are() -> None:
    other = replace(KEPT, url="https://b.example/", validators=Validators())

    assert other.says_the_same(KEPT)
    assert other.facts() == {"digest": KEPT.content.digest, "capability_count": 1}
