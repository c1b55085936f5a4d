from __future__ import annotations

from dataclasses import replace

from shared.fetch import Validators
from shared.findings.source import of_source
from shared.formats.capability_index import read_index
from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.model.status import Status
from shared.model.stored_content import HeldContent, Loss, StoredContent
from tests.builders import capability, index, registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:00:00Z"


def kept(*numbers: int) -> StoredContent:
    body = index(*(capability(number) for number in numbers))
    return StoredContent(ROW.url, Validators(), NOW, read_index(body, ROW.repo))


def none() -> StoredContent:
    return StoredContent(ROW.url, Validators(), NOW, read_index(index(capabilities=[]), ROW.repo))


def settled(view: SourceView) -> SourceView:
    return view.settled(0, 0, 86400, lambda: NOW)


def test_a_loss_in_steps_is_told_with_all_that_left_within_a_day() -> None:
    held = HeldContent(kept(1, 2), 0.0, Loss(8, 10))

    (finding,) = of_source(settled(SourceView(ROW, Status(checked_at=NOW), kept(1, 2, 3), held)))

    assert finding.kind == "held"
    assert finding.detail == (
        "1 of 3 entries would vanish: capability.example.n3. With what left within 24 hours it would be 8 of 10."
    )


def test_one_entry_is_counted_as_one() -> None:
    (finding,) = of_source(settled(SourceView(ROW, Status(checked_at=NOW), kept(1), HeldContent(none(), 0.0))))

    assert finding.detail == "The only entry would vanish: capability.example.n1."


def test_a_disabled_source_has_no_finding() -> None:
    source = settled(SourceView(replace(ROW, enabled=False), Status(checked_at=NOW), kept(1)))

    assert list(of_source(source)) == []
