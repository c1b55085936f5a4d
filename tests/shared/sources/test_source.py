from __future__ import annotations

from dataclasses import replace

from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.sources.source import Source
from tests.builders import registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)


def test_a_check_waits_until_the_source_is_due_and_its_host_does_not_cool_down() -> None:
    source = Source(SourceView(ROW), due=10.0, spread_to=20.0)
    spread = source.starts_at
    source.host.cool_until = 30.0

    assert (spread, source.starts_at, source.starts_after(40.0)) == (20.0, 30.0, 40.0)
    assert [source.waits(now) for now in (29.0, 30.0)] == [False, True]


def test_a_disabled_source_never_waits_for_a_check() -> None:
    assert not Source(SourceView(replace(ROW, enabled=False))).waits(1e9)


def test_the_record_says_how_long_the_source_has_to_wait_and_never_less_than_nothing() -> None:
    source = Source(SourceView(ROW), due=10.0)

    assert [source.record(now).details.wait for now in (4.0, 11.0)] == [6.0, 0.0]


def test_the_owner_of_the_registration_has_a_share_of_the_host() -> None:
    source = Source(SourceView(ROW))

    assert source.share is source.host.share("operator") is not source.host.share("other")
