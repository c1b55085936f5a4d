from __future__ import annotations

import http.server
import runpy
import threading
from pathlib import Path

import pytest

from shared.server import probe


@pytest.mark.parametrize(
    ("words", "place"),
    [
        (["python3", "/app/shared/server/cli.py", "serve"], ("127.0.0.1", 8080)),
        (["python3", "/app/cli.py", "--json", "serve", "--host", "::", "--port=9000"], ("127.0.0.1", 9000)),
        (["reuse-surface", "serve", "--host=::1", "--port", "1"], ("::1", 1)),
        (["sh", "-c", "reuse-surface serve"], None),
        (["reuse-surface", "hub", "status"], None),
        (["serve", "cli.py"], None),
        ([""], None),
    ],
)
def test_reads_where_a_hub_listens(words: list[str], place: tuple[str, int] | None) -> None:
    assert probe.listening(words) == place


def test_without_a_hub_nothing_is_healthy(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "self").mkdir()

    assert probe.check(tmp_path) == "no process of this machine serves a hub"


def test_an_answer_that_is_no_success_is_told(tmp_path: Path) -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "cmdline").write_bytes(b"cli.py\0serve\0--port\0%d\0" % server.server_port)
    try:
        assert str(probe.check(tmp_path)).endswith("answers /health with 501")
    finally:
        thread.join(5)
        server.server_close()


def test_its_exit_code_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(()))

    with pytest.raises(SystemExit, match="no process of this machine serves a hub"):
        runpy.run_path(probe.__file__, run_name="__main__")
