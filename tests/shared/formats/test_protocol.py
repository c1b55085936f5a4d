from __future__ import annotations

import pytest

from shared.formats import FORMATS, HUB, INDEX, UNKNOWN, Publisher, Reading, SourceFormat
from shared.formats.capability_index import read_index
from shared.formats.documents import DocumentFaulty
from shared.problems import SourceNotAnIndex
from tests.builders import index
from tests.shared.federated import federated

BODIES = {"index": index(), "hub": federated()}


def test_an_index_is_its_publishers_own_content() -> None:
    reading = INDEX.reading(BODIES["index"], Publisher("state-hub", "https://git.example.org/c.yaml"))

    assert reading == Reading(read_index(BODIES["index"], "state-hub"))
    assert reading.own() is reading.content


def test_a_federated_index_has_no_content_of_its_own() -> None:
    reading = HUB.reading(BODIES["hub"], UNKNOWN)

    assert [relayed.repo for relayed in reading.relayed] == ["inner"]
    with pytest.raises(DocumentFaulty, match="speaks for other repos alone"):
        reading.own()


@pytest.mark.parametrize("source_format", FORMATS.values(), ids=FORMATS)
def test_every_format_reads_a_document_of_its_own_and_refuses_what_is_none(source_format: SourceFormat) -> None:
    reading = source_format.reading(BODIES[source_format.name], Publisher("state-hub"))

    assert (reading.skipped, bool(reading.content) != bool(reading.relayed)) == ((), True)
    for body in (b"", b"[]", b"7", b"{}", b"\xff", b"a: *b", b'{"a": 1, "a": 2}'):
        with pytest.raises(DocumentFaulty):
            source_format.reading(body, UNKNOWN)
    with pytest.raises(SourceNotAnIndex):
        source_format.reading(b"<html>", UNKNOWN)
