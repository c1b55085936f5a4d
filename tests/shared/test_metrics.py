from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.hub import open_hub
from shared.metrics import exposition, look
from shared.metrics import families as read
from shared.problems import StorageUnavailable
from tests.builders import WRITER, capability, index, refresh, register, registration, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from shared.settings import Settings
    from tests.builders import Hands

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "deploy" / "Metrics.md"


def families(hub: Hub) -> dict[str, Any]:
    missing = hub.federation.document.missing_required
    counts = look(hub.sources.views, hub.sources.lag, hub.findings.all(), missing)
    text = exposition(read(hub, counts), hub.settings.data_dir).decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(hub: Hub, name: str, **labels: str) -> float | None:
    """Return the one sample of that name and those labels, without the prefix; None where there is none."""
    samples = [sample for family in families(hub).values() for sample in family.samples]
    found = [one.value for one in samples if one.name == f"reuse_surface_{name}" and one.labels == labels]
    assert len(found) <= 1
    return found[0] if found else None


async def test_every_metric_is_documented_with_its_type_labels_and_meaning(
    hub: Hub, client: httpx.AsyncClient
) -> None:
    await register(client, required=True)
    await refresh(client)
    listed = dict[str, tuple[str, set[str], str]]()
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `reuse_surface_"):
            name, kind, labels, about = (cell.strip() for cell in line.strip("|").split("|"))
            listed[name.strip("`").removesuffix("_total")] = kind, set(re.findall("`([a-z_]+)`", labels)), about
    told = {
        name: (family.type, {label for one in family.samples for label in one.labels} - {"le"}, family.documentation)
        for name, family in families(hub).items()
        if name.startswith("reuse_surface_")
    }

    assert told == listed


async def test_a_new_hub_tells_zeros_and_no_age_of_checks(hub: Hub) -> None:
    assert value(hub, "sources", state="fresh") == 0
    assert value(hub, "federation_complete") == 1
    assert value(hub, "compose_seconds_count") == 0
    assert value(hub, "last_successful_check_timestamp_seconds") is None
    assert value(hub, "source_shortest_ttl_seconds") is None


async def test_sources_are_counted_by_state_and_checks_by_outcome(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands
) -> None:
    upstream.get(url_of("good")).respond(content=index(capability(1), capability(2)))
    upstream.get(url_of("bad")).respond(500)
    for repo in ("good", "bad", "new"):
        await register(client, repo, required=repo == "bad", cache_ttl_seconds=60 if repo == "new" else 900)
    hands.advance(60)
    for repo in ("good", "good", "bad"):
        await refresh(client, repo)

    assert [value(hub, "sources", state=state) for state in ("fresh", "failed", "never")] == [1, 1, 1]
    outcomes = {outcome: value(hub, "checks_total", outcome=outcome) for outcome in ("changed", "unchanged", "failed")}
    assert outcomes == {"changed": 1, "unchanged": 1, "failed": 1}
    assert value(hub, "fetch_seconds_count") == 3
    assert value(hub, "capabilities") == 2
    assert (value(hub, "federation_complete"), value(hub, "required_source_missing", repo="bad")) == (0, 1)
    assert value(hub, "required_source_missing", repo="good") is None
    assert value(hub, "source_shortest_ttl_seconds") == 60
    assert value(hub, "refresher_lag_seconds") == 60
    checked = value(hub, "last_successful_check_timestamp_seconds")
    assert checked == hub.clock.now().timestamp()


async def test_what_never_succeeded_was_last_in_order_at_zero(hub: Hub, client: httpx.AsyncClient) -> None:
    await register(client)

    assert value(hub, "last_successful_check_timestamp_seconds") == 0


async def test_the_lag_is_that_of_the_longest_overdue(hub: Hub, client: httpx.AsyncClient, hands: Hands) -> None:
    assert value(hub, "refresher_lag_seconds") == 0
    await register(client)
    hands.advance(7)
    await register(client, "another")
    hands.advance(2)

    assert value(hub, "refresher_lag_seconds") == 9.0


async def test_the_serial_and_compositions_are_told(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    await refresh(client)

    assert value(hub, "federation_serial") == hub.federation.document.serial > 1
    assert value(hub, "compose_seconds_count") == sum(hub.tally.compositions.counts) >= 1
    assert (value(hub, "store_writes_total", what="federation", result="done") or 0) >= 1


@pytest.mark.parametrize("what", ["registrations", "states", "federation"])
async def test_a_write_that_fails_is_counted(
    hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter, what: str
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    home = {"registrations": "table", "states": "records_file", "federation": "editions"}[what]

    with patch(f"shared.storage.files.{home}.write_whole", side_effect=StorageUnavailable("Full.", status=507)):
        answer = await client.post("/v1/repos/state-hub/refresh", headers=WRITER)
        other = await client.post("/v1/repos", json=registration(repo="b", url=url_of("b")), headers=WRITER)

    assert 507 in {answer.status_code, other.status_code}
    assert (value(hub, "store_writes_total", what=what, result="failed") or 0) >= 1
    assert value(hub, "store_writes_total", what="registrations", result="done") == (1 if other.is_error else 2)


async def test_requests_are_told_by_method_route_and_status(hub: Hub, client: httpx.AsyncClient) -> None:
    await client.get("/v1/repos/nobody")
    await client.get("/v1/repos/none")

    assert value(hub, "http_requests_total", method="GET", route="/v1/repos/{repo}", status="404") == 2
    assert value(hub, "http_request_seconds_count", route="/v1/repos/{repo}") == 2


async def test_the_volume_and_the_process_are_told(hub: Hub) -> None:
    free, size = value(hub, "volume_free_bytes"), value(hub, "volume_size_bytes")

    assert free is not None
    assert size is not None
    assert 0 < free <= size
    assert families(hub)["process_resident_memory_bytes"].samples[0].value > 1_000_000


async def test_the_use_of_each_limit_is_told(hub: Hub, client: httpx.AsyncClient) -> None:
    await register(client)

    assert value(hub, "limit_used_ratio", limit="registrations") == 1 / 20_000
    assert value(hub, "limit_used_ratio", limit="capabilities") == 0


async def test_a_volume_that_does_not_answer_hides_no_other_metric(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(os, "statvfs", fail)

    assert value(hub, "volume_free_bytes") is None
    assert value(hub, "volume_size_bytes") is None
    assert value(hub, "federation_serial") == 1


async def test_a_tokens_file_that_is_refused_is_told_where_there_is_one(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "tokens.yaml"
    path.write_text("tokens: []")
    without, of_file = open_hub(settings), open_hub(replace(settings, data_dir=tmp_path / "b", tokens_file=path))
    async with without.running(), of_file.running():
        before = value(of_file, "tokens_file_refused")
        path.write_text("tokens:")

        assert (value(without, "tokens_file_refused"), before, value(of_file, "tokens_file_refused")) == (None, 0, 1)


async def test_a_hub_without_a_folder_has_no_volume_to_tell_of(hub: Hub) -> None:
    of_a_folder, without = (exposition([], folder).decode() for folder in (hub.settings.data_dir, None))

    assert "volume_free_bytes" in of_a_folder
    assert "volume" not in without
