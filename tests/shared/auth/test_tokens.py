from __future__ import annotations

import errno
import hashlib
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.auth import tokens
from shared.auth.tokens import MAX_BYTES, STEP_SECONDS, BadTokens, Token, TokensFile, read_tokens
from shared.model.author import Grant
from shared.problems import StartError
from tests.builders import Hands

A, B = ("a" * 64, "b" * 64)


def entry(**changes: Any) -> dict[str, Any]:
    """Return a valid entry; a change to None leaves the field out."""
    whole = {"name": "ci", "sha256": A, "repos": ["state-hub"], **changes}
    return {name: value for name, value in whole.items() if value is not None}


def file_of(*entries: object, **more: object) -> bytes:
    """Return the content of a tokens file."""
    return json.dumps({"tokens": list(entries), **more}).encode()


@pytest.fixture
def hands() -> Hands:
    """The clock of the hub, which stands still."""
    return Hands()


@pytest.fixture
def file(path: Path, hands: Hands) -> TokensFile:
    """The file at *path*, read long ago."""
    file = TokensFile(path, hands.clock())
    settle(file, hands)
    return file


def settle(file: TokensFile, hands: Hands) -> None:
    """Let time pass until a change is noticed by how the file looks alone."""
    hands.advance(STEP_SECONDS)
    file.tokens()


def overwrite(path: Path, content: bytes) -> None:
    """Write *content* of the same length within one step of the file system's clock."""
    before = path.stat()
    assert before.st_size == len(content)
    path.write_bytes(content)
    assert path.stat().st_ino == before.st_ino


def names(file: TokensFile) -> list[str]:
    """Return the names of the tokens that count."""
    return [token.name for token in file.tokens()]


def test_reads_what_an_operator_writes() -> None:
    digest = hashlib.sha256(b"a token of some length").hexdigest()
    content = f"""# who may write
tokens:
- {{name: ci-state-hub, sha256: {digest}, repos: [state-hub], expires_at: 2027-06-30T00:00:00Z}}
- name: platform
  sha256: {B.upper()}
  repos: ['*', "team-[ab]"]
  domains: [railiance, 'infra-*']
- {{name: anna, sha256: {A}, admin: true}}
"""

    assert read_tokens(content.encode()) == (
        Token("ci-state-hub", bytes.fromhex(digest), Grant(("state-hub",)), datetime(2027, 6, 30, tzinfo=UTC)),
        Token("platform", bytes.fromhex(B), Grant(("*", "team-[ab]"), ("railiance", "infra-*"))),
        Token("anna", bytes.fromhex(A), None),
    )


def test_a_file_may_name_nobody() -> None:
    assert read_tokens(b"tokens: []") == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "must be a mapping", id="empty"),
        pytest.param(b"tokens: [", "column", id="no YAML"),
        pytest.param(b"tokens: \xff", "not UTF-8", id="no UTF-8"),
        pytest.param(b"tokens: &a [*a]", "anchors", id="an anchor"),
        pytest.param(file_of(tokens=1), "/tokens must be a list", id="no list"),
        pytest.param(file_of(colour="red"), "/colour is not a known field", id="an unknown field"),
        pytest.param(file_of(entry(sha=A)), "/tokens/0/sha is not a known field", id="a misspelt field"),
        pytest.param(file_of(entry(sha256="a" * 63)), "/tokens/0/sha256", id="a short digest"),
        pytest.param(file_of(entry(sha256="hub_secret-token")), "64 hex digits", id="the token itself"),
        pytest.param(file_of(entry(name="operator")), "/tokens/0/name", id="the operator's name"),
        pytest.param(file_of(entry(name="two words")), "/tokens/0/name", id="no name"),
        pytest.param(file_of(entry(), entry(sha256=B)), "/tokens/1/name is the name of another", id="a name twice"),
        pytest.param(file_of(entry(), entry(name="b", sha256=A.upper())), "/tokens/1/sha256", id="a digest twice"),
        pytest.param(file_of(entry(repos=None)), "covers nothing", id="nothing to write"),
        pytest.param(file_of(entry(repos=[])), "covers nothing", id="an empty list"),
        pytest.param(file_of(entry(repos=["State/Hub"])), "/tokens/0/repos/0", id="no pattern"),
        pytest.param(file_of(entry(repos="state-hub")), "/tokens/0/repos must be a list", id="no list of patterns"),
        pytest.param(file_of(entry(expires_at="tomorrow")), "/tokens/0/expires_at", id="no time"),
        pytest.param(file_of(entry(expires_at="2027-06-30T00:00:00")), "with its zone", id="a time without zone"),
        pytest.param(file_of(entry(admin="yes")), "/tokens/0/admin must be true or false", id="no flag"),
    ],
)
def test_refuses_a_file_as_a_whole_and_says_why(content: bytes, says: str) -> None:
    with pytest.raises(BadTokens) as raised:
        read_tokens(content)

    assert says in str(raised.value)
    assert "hub_secret" not in str(raised.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a valid tokens file lies."""
    path = tmp_path / "tokens.yaml"
    path.write_bytes(file_of(entry()))
    return path


def test_reads_it_again_when_it_changes(file: TokensFile, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert names(file) == ["ci"]

    path.write_bytes(file_of(entry(), entry(name="another", sha256=B)))

    assert names(file) == names(file) == ["ci", "another"]
    assert [record.message for record in caplog.records] == [f"read 2 tokens from {path}"]


def test_follows_a_link_that_is_led_elsewhere(path: Path, tmp_path: Path, hands: Hands) -> None:
    # As mounted secrets are replaced: the link changes, in one step.
    link, other = tmp_path / "link", tmp_path / "other.yaml"
    link.symlink_to(path)
    file = TokensFile(link, hands.clock())
    other.write_bytes(file_of(entry(name="xy")))

    (tmp_path / "next").symlink_to(other)
    (tmp_path / "next").replace(link)

    assert names(file) == ["xy"]


@pytest.mark.parametrize("content", [b"tokens: [", None, b" " * (MAX_BYTES + 1)], ids=["invalid", "gone", "huge"])
def test_while_it_can_not_be_used_the_old_ones_stay_and_the_log_says_so_once(
    file: TokensFile, path: Path, caplog: pytest.LogCaptureFixture, content: bytes | None
) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    assert names(file) == names(file) == ["ci"]
    [record] = caplog.records
    assert f"{path} can't be used, the tokens read before stay good" in record.message

    path.write_bytes(file_of(entry(name="mended")))
    assert names(file) == ["mended"]


def test_tells_whether_it_is_refused_as_it_lies_there_now(file: TokensFile, path: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    bad.write_bytes(b"tokens: [")
    seen = [file.refused()]
    path.rename(good)
    seen.append(file.refused())
    for one in (good, bad, good, bad):
        # As a link is led elsewhere: the same two files in turns.
        path.unlink(missing_ok=True)
        path.symlink_to(one)
        seen.append(file.refused())
    bad.write_bytes(file_of(entry(name="mended")))

    assert [*seen, file.refused()] == [False, True, False, True, False, True, False]
    assert names(file) == ["mended"]


@pytest.mark.parametrize("content", [file_of(), b"tokens: [", b" " * (MAX_BYTES + 1)], ids=["valid", "invalid", "huge"])
def test_a_content_is_parsed_once_and_not_read_with_every_request(
    file: TokensFile, path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    path.write_bytes(content)
    parsed, reads = 0, 0
    real_parse, real_open = tokens.read_tokens, Path.open

    def parse(content: bytes) -> tuple[Token, ...]:
        nonlocal parsed
        parsed += 1
        return real_parse(content)

    def opened(self: Path, *arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        return real_open(self, *arguments)

    monkeypatch.setattr(tokens, "read_tokens", parse)
    monkeypatch.setattr(Path, "open", opened)
    for _ in range(3):
        file.tokens()
    settle(file, hands)
    before = reads
    for _ in range(5):
        file.tokens()

    assert (parsed <= 1, reads - before) == (True, 0)


@pytest.mark.parametrize("seconds", [0.0, STEP_SECONDS / 2, STEP_SECONDS], ids=["now", "soon", "last"])
def test_what_is_written_within_one_step_of_the_files_clock_counts(
    file: TokensFile, path: Path, hands: Hands, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    path.write_bytes(file_of(entry(name="first")))
    assert names(file) == ["first"]
    looks = file._look()
    monkeypatch.setattr(TokensFile, "_look", lambda _: looks)
    hands.advance(seconds)

    overwrite(path, file_of(entry(name="taken")))

    assert names(file) == ["taken"]
    overwrite(path, b"tokens: [" + b" " * (len(path.read_bytes()) - 9))
    hands.advance(STEP_SECONDS)
    assert (names(file), file.refused()) == (["taken"], seconds < STEP_SECONDS)


def test_what_is_written_while_it_is_read_counts_with_the_next_request(
    file: TokensFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = TokensFile._read
    contents = [file_of(entry(name="later")), file_of(entry(name="early"))]
    path.write_bytes(file_of(entry(name="first")))

    def read(self: TokensFile) -> bytes:
        content = real(self)
        if contents:
            path.write_bytes(contents.pop())
        return content

    monkeypatch.setattr(TokensFile, "_read", read)

    assert [names(file) for _ in range(4)] == [["first"], ["early"], ["later"], ["later"]]


def test_a_file_that_may_not_be_read_any_more_is_told_and_one_that_may_again_counts(
    file: TokensFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: TokensFile) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    # Rights change no content and no time of writing. The tests may run as one who may read everything.
    path.chmod(0)
    with monkeypatch.context() as denied:
        denied.setattr(TokensFile, "_read", refuse)
        assert (names(file), file.refused()) == (["ci"], True)
    path.chmod(0o600)

    assert (names(file), file.refused()) == (["ci"], False)


@pytest.mark.parametrize("content", [b"tokens: [", None], ids=["invalid", "missing"])
def test_a_start_needs_a_good_one(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    with pytest.raises(StartError, match=f"REUSE_SURFACE_TOKENS_FILE: {path} can't be used: "):
        TokensFile(path, Hands().clock())
