"""The table of bounds in SECURITY.md names every dictionary, list, set, queue and cache that lives on, or it is below.

A container that is new stands in neither, and this fails until somebody says who can make it grow, and to what.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
CONTAINERS = {"dict", "list", "set", "deque", "defaultdict", "OrderedDict", "Counter", "LRUCache", "TTLCache", "_zeros"}
CACHES = {"cache", "lru_cache", "cached"}

ONE_OPERATION = {
    "shared/contract/failures.py::Failures.responses",
    "shared/storage/files/contents.py::ContentFolder._stray",
    "shared/storage/memory.py::MemoryHoldings._ignored",
    "shared/federation/feed.py::_Rows._shares",
    "shared/federation/feed.py::_Rows._sources",
    "shared/federation/feed.py::_Rows.places",
    "shared/model/lines.py::Delta.capabilities",
    "shared/model/lines.py::Delta.sources",
    "shared/formats/yaml_events.py::_Builder._container",
    "shared/formats/yaml_events.py::_Builder._stack",
    "shared/formats/yaml_events.py::_Builder._stood_for",
    "shared/pages/picture.py::_Ground._squares",
    "shared/problems/base.py::Problem.headers",
    "shared/storage/files/records_file.py::SavedRecords.records",
}
"""They go with what they were made for, whose size is bounded: a document, a page, an answer, a write of a file."""

OF_THE_PROGRAM = {
    "shared/capacity.py::Capacity._since",
    "shared/client_file.py::client_file()",
    "shared/findings/finding.py::_TELLING",
    "shared/background.py::Background.tasks",
    "shared/background.py::Background.troubles",
    "shared/formats/capability_index.py::_checkers()",
    "shared/formats/manifest.py::_checkers()",
    "shared/formats/reader.py::DocumentReader._ending",
    "shared/formats/yaml_events.py::_STOOD_FOR",
    "shared/pages/__init__.py::_environment()",
    "shared/pages/assets.py::assets()",
    "shared/pages/listing.py::_WORST_FIRST",
    "shared/web/prepared.py::Prepared._answers",
    "shared/problems/__init__.py::PROBLEMS",
    "shared/saved.py::_fields()",
    "shared/schemas.py::_YAML",
    "shared/schemas.py::_collector()",
    "shared/schemas.py::checker()",
    "shared/schemas.py::schema()",
    "shared/search/facts.py::_BY_LETTER",
    "shared/sources/refresher.py::Refresher._checks",
    "shared/signals.py::Signal._listeners",
    "shared/tally.py::Tally.checks",
    "shared/tally.py::Tally.failing",
    "shared/tally.py::Tally.moments",
    "shared/tally.py::Tally.writes",
    "shared/yaml_out.py::_TABLE",
    "shared/web/application.py::Application._dialects",
    "shared/web/application.py::_Router._plain",
    "shared/web/application.py::Application._ready",
    "shared/web/resource.py::Resource._handlers",
}
"""Their keys are the program's own: routes, kinds, schemas, forms, tasks, 256 checks. Nobody outside adds one."""

OF_THE_OPERATOR = {"shared/fetch/guard.py::Guard._names"}
"""The settings say what is in them."""


def is_container(value: ast.expr) -> bool:
    """Tell whether *value* makes a container that is empty, or of whatever there is."""
    if isinstance(value, ast.Dict | ast.List | ast.Set):
        return not (value.keys if isinstance(value, ast.Dict) else value.elts)
    if not isinstance(value, ast.Call):
        return isinstance(value, ast.DictComp | ast.SetComp)
    name = last_name(value.func)
    factories = [last_name(one.value) for one in value.keywords if one.arg == "default_factory"]
    return name in CONTAINERS or any(factory in CONTAINERS for factory in factories)


def last_name(node: ast.expr) -> str:
    """Return ``Counter`` of ``Counter``, ``Counter()``, ``collections.Counter`` and ``Counter[str]``."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def assigned(nodes: list[ast.stmt]) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield each target in *nodes* with its value, or with its type where that is a container's."""
    for node in nodes:
        if isinstance(node, ast.Assign):
            yield from ((target, node.value) for target in node.targets)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            declared = "self." in ast.unparse(node.target) and last_name(node.annotation) in CONTAINERS
            yield node.target, ast.List([]) if declared else node.value


def of_module(tree: ast.Module) -> Iterator[str]:
    """Yield the containers and cached functions of a module."""
    for target, value in assigned(tree.body):
        if is_container(value):
            yield ast.unparse(target)
        if isinstance(value, ast.Call) and last_name(value) in CACHES:
            yield f"{ast.unparse(target)}()"
    for node in tree.body:
        # A cache with a name of its own is found by that.
        if isinstance(node, ast.FunctionDef) and any(unnamed_cache(one) for one in node.decorator_list):
            yield f"{node.name}()"


def unnamed_cache(decorator: ast.expr) -> bool:
    """Tell whether *decorator* caches in something that has no name."""
    named = isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Name)
    return last_name(decorator) in CACHES and not named


def of_class(node: ast.ClassDef) -> Iterator[str]:
    """Yield the containers that an instance begins with."""
    fields = [(target, value) for target, value in assigned(node.body) if isinstance(target, ast.Name)]
    begins = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
    statements = [one for begin in begins for one in ast.walk(begin) if isinstance(one, ast.stmt)]
    for target, value in [*fields, *assigned(statements)]:
        if is_container(value) and (isinstance(target, ast.Attribute) or (target, value) in fields):
            yield f"{node.name}.{target.attr if isinstance(target, ast.Attribute) else ast.unparse(target)}"


def containers() -> set[str]:
    """Return every container of the hub that lives longer than a call, as ``path::Class.attribute``."""
    found = set[str]()
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py"), ROOT / "router.py"]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [*of_module(tree)]
        names += [name for node in tree.body if isinstance(node, ast.ClassDef) for name in of_class(node)]
        found.update(f"{path.relative_to(ROOT)}::{name}" for name in names)
    return found


def in_the_table() -> set[str]:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8").partition("### What callers can make grow")[2]
    named = re.findall(r"`([\w/]+\.py::[\w.()]+)`", text.partition("\n## ")[0])
    return {name for name in named if not name.startswith("tests/")}


def test_whatever_lives_on_has_its_bound_in_the_table_or_a_reason_why_nobody_makes_it_grow() -> None:
    exempt = ONE_OPERATION | OF_THE_PROGRAM | OF_THE_OPERATOR

    assert sorted(containers() - in_the_table() - exempt) == []
    assert sorted(in_the_table() & exempt) == []


def test_what_the_table_names_is_there() -> None:
    exempt = ONE_OPERATION | OF_THE_PROGRAM | OF_THE_OPERATOR

    assert len(in_the_table()) > 40
    assert sorted((in_the_table() | exempt) - containers()) == []


def test_a_container_is_found_in_whichever_way_it_is_made() -> None:
    code = ast.parse(
        "A = {}\nB: LRUCache[str, int] = LRUCache(9)\nC = lru_cache(9)(f)\n"
        "@cache\ndef d(): ...\n@cached(B)\ndef e(): ...\n"
        "class F:\n    g: dict[str, int] = field(default_factory=dict)\n"
        "    def __init__(self):\n        self.h, local = 1, {}\n        self.i = deque[int]()\n        local = []\n"
        "        self.j: dict[str, int] = {'k': 1}\n"
    )
    classes = [node for node in code.body if isinstance(node, ast.ClassDef)]

    assert [*of_module(code)] == ["A", "B", "C()", "d()"]
    assert [*of_class(classes[0])] == ["F.g", "F.i", "F.j"]
