from __future__ import annotations

import resource

import pytest

from shared.fetch.lanes import Widths
from shared.fetch.resolver import THREADS
from shared.problems import StartError
from shared.server.bounds import AHEAD, LEAST_CONNECTIONS, RESERVED_FILES, ServerBounds, open_files
from shared.settings import Settings


def test_there_are_no_more_connections_than_files_allow() -> None:
    assert ServerBounds(Settings(max_connections=10_000), 20_000).connections.most == 10_000
    assert ServerBounds(Settings(max_connections=10_000), 1024).connections.most == 1024 - RESERVED_FILES - AHEAD


def test_a_hub_that_would_have_no_handles_to_itself_does_not_start() -> None:
    least = RESERVED_FILES + AHEAD + LEAST_CONNECTIONS

    assert ServerBounds(Settings(), least).connections.most == LEAST_CONNECTIONS
    with pytest.raises(StartError, match=f"may have {least - 1} files open, and the hub needs {least}.*ulimit -n"):
        ServerBounds(Settings(), least - 1)


def test_what_the_hub_opens_itself_fits_what_no_client_gets() -> None:
    lanes = Widths()

    # Sockets of look-ups and fetches; beside them 64 for data, processes with their pipes, listeners and the log.
    assert max(THREADS) + lanes.fast + lanes.slow + 64 <= RESERVED_FILES


def test_things_are_looked_at_often_enough() -> None:
    assert ServerBounds(Settings(), 9999).tick == 2.5
    assert ServerBounds(Settings(receive_seconds=2, send_seconds=4), 9999).tick == 0.5


def test_the_process_may_open_as_many_files_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
        assert open_files() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
