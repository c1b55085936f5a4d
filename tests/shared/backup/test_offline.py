from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.backup.offline import back_up
from shared.backup.restore import restore
from shared.problems import StartError
from tests.builders import register, served

if TYPE_CHECKING:
    from pathlib import Path

    from shared.settings import Settings


async def test_a_stopped_hub_is_backed_up_and_comes_back(settings: Settings, tmp_path: Path) -> None:
    async with served(settings) as client:
        made = await register(client)

    restored = restore(io.BytesIO(back_up(settings.data_dir)), tmp_path / "fresh")

    assert restored.registrations == 1
    async with served(replace(settings, data_dir=tmp_path / "fresh")) as client:
        again = (await client.get("/v1/repos/state-hub")).json()
    async with served(settings) as client:
        still = (await client.get("/v1/repos/state-hub")).json()
    for one in (made, again, still):
        one.pop("source", None)  # its next check is planned anew by each start
    assert made == again == still


async def test_a_hub_that_runs_is_asked_and_not_looked_into(settings: Settings) -> None:
    async with served(settings) as client:
        await register(client)
        with pytest.raises(StartError, match="Another process holds"):
            back_up(settings.data_dir)


def test_a_folder_without_a_hub_is_told_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="holds nothing of a hub"):
        back_up(tmp_path / "nowhere")

    assert not (tmp_path / "nowhere").exists()
