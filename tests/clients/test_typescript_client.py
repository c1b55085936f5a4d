from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.conftest import HERE, published

pytestmark = [pytest.mark.xdist_group("generated-clients"), pytest.mark.usefixtures("real_network")]


def test_compiles_strictly_and_reads_every_answer_by_its_type(typescript_client: dict[str, Any]) -> None:
    entry = published("typescript")

    assert typescript_client == {
        "registered": 201,
        "again": "repo-exists",
        "outcome": "changed",
        "state": "fresh",
        "listed": ["from-typescript 1"],
        "vectors": ["D5 / A4 / C3 / R2"],
        "tags": ["weather"],
        "narrow": [[entry["id"], entry["name"], "from-typescript", "sky", None]],
        "served": True,
        "federated": [entry["id"]],
        "changed": True,
        "pointers": ["/capabilities/0/name"],
        "findings": [],
        "stranger": "unauthorized",
        "missing": "repo-not-found",
        "offences": ["/repo"],
    }


def test_the_lock_file_leaves_it_to_each_machine_where_packages_come_from() -> None:
    locked = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]

    assert len(locked) > 20
    assert not [name for name, package in locked.items() if "resolved" in package]
    wanted = locked[""]["dependencies"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
