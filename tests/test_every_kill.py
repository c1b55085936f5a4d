"""A kill before any one operation on a file: the next start shows what was answered, or that and the request under way.

``make fuzz`` kills before every operation there is; the checks before a few, the same in every run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ALL = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
ROOT = Path(__file__).resolve().parent.parent
SEED = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10**9) if ALL else 5))
LITTLE = 4


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Callable[[int], dict[str, Any]]]:
    """Return what a hub that is killed before the operation of this number had shown, and the next start shows."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.chaos.steps", str(tmp_path), str(SEED)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        said, answers = process.stdin, process.stdout

        def before(number: int) -> dict[str, Any]:
            said.write(b"%d\n" % number)
            said.flush()
            answer: dict[str, Any] = json.loads(answers.readline())
            return answer

        with contextlib.closing(process.stdin):
            yield before


def faults(whole: list[dict[str, Any]], answer: dict[str, Any]) -> list[str]:
    """Return what the start shows that no order of events explains; *whole* is what is shown where nobody is killed."""
    if not answer["then"]:
        return ["the hub does not start"]
    [then], done = answer["then"], answer["told"]
    possible = whole[max(len(done) - 1, 0) : len(done) + 1]
    wrong = [
        f"{name}: {then[name]} is none of {[one[name] for one in possible]}"
        for name in ("rows", "entries", "history")
        if then[name] not in [one[name] for one in possible]
    ]
    if then["unexplained"]:
        wrong.append(f"the states of {then['unexplained']} do not agree with their errors")
    if done and then["serial"] < done[-1]["serial"]:
        wrong.append(f"the serial went from {done[-1]['serial']} to {then['serial']}")
    if [one for one in done if one["serial"] == then["serial"] and one["sha256"] != then["sha256"]]:
        wrong.append(f"serial {then['serial']} was something else before")
    return wrong


@pytest.mark.timeout(3000)
def test_a_start_after_a_kill_before_any_operation_on_a_file_shows_what_was_answered(
    killed: Callable[[int], dict[str, Any]], record_property: Callable[[str, object], None]
) -> None:
    record_property("CHAOS_SEED", SEED)
    whole = killed(0)
    operations = whole["steps"]
    assert operations > 100
    assert whole["then"][0]["rows"] == whole["told"][-1]["rows"]
    numbers = range(1, operations + 1)
    chosen = numbers if ALL else random.Random(SEED).sample(numbers, LITTLE)  # noqa: S311 - the same in every run
    wrong = {number: found for number in chosen if (found := faults(whole["told"], killed(number)))}
    assert wrong == {}, f"CHAOS_SEED={SEED}"
