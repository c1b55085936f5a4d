"""The shape of the code, as the style guide and the design have it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"functions": 100, "shared": 250}
FLOOR = 40
# The client has to be one file, because users copy it alone. It holds as many lines as it has; a new command may raise
# this by what it needs, and what is shortened lowers it.
CLI_LIMIT = 2254
CLI_SECTIONS = "Errors HTTP Output Files Commands Look Write Documents Machines Host Main"
OURS = {"router", "functions", "shared", "cli", "tests", "examples", "bench"}
IO_MODULES = {
    "asyncio", "glob", "h11", "http", "httpcore", "httpx", "io", "logging", "os", "pathlib", "random", "requests",
    "select", "shutil", "socket", "ssl", "starlette", "subprocess", "sys", "tempfile", "threading", "time", "tinydb",
    "urllib",
}  # fmt: skip
MODULES = sorted(
    str(path.relative_to(ROOT)) for folder in LIMITS for path in (ROOT / folder).rglob("*.py") if path.is_file()
)
HANDLERS = [name for name in MODULES if name.startswith("functions/") and not name.endswith("__init__.py")]


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def imported(name: str, *, types_too: bool = True) -> set[str]:
    """Return the modules that *name* imports, wherever in it; without *types_too* not those for type checkers."""
    for_types = [
        node
        for test in ast.walk(tree(name))
        if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.unparse(test.test)
        for node in ast.walk(test)
    ]
    found: set[str] = set()
    for node in ast.walk(tree(name)):
        if not types_too and node in for_types:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            found.update({node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)})
    return found


def ours(name: str, *, types_too: bool = True) -> set[str]:
    return {module for module in imported(name, types_too=types_too) if module.split(".")[0] in OURS}


def has_code(name: str) -> bool:
    """Tell whether *name* holds a function or a class."""
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree(name).body)


def mirrors(name: str) -> set[str]:
    """Return where the tests of the module *name* may lie; a package's beside its modules' or beside its folder."""
    if name == "cli.py":
        return {"tests/cli/test_cli.py"}
    path = Path("tests", name)
    if path.name != "__init__.py":
        return {str(path.with_name(f"test_{path.name}"))}
    package = path.parent
    return {str(package / f"test_{package.name}.py"), str(package.with_name(f"test_{package.name}.py"))}


def test_this_looks_at_the_whole_code() -> None:
    assert len(HANDLERS) == len({"/".join(name.split("/")[1:]) for name in HANDLERS}) >= 15
    assert {"shared/hub.py", "shared/storage/files/tiny.py", "shared/fetch/__init__.py"} <= set(MODULES)
    assert imported("shared/hub.py") >= {"asyncio", "shared.storage.files"}


@pytest.mark.parametrize("name", [*(name for name in MODULES if has_code(name)), "router.py", "cli.py"])
def test_every_module_with_code_has_its_tests(name: str) -> None:
    assert any((ROOT / place).exists() for place in mirrors(name)), f"there is none of {sorted(mirrors(name))}"


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_stays_short(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").count("\n")

    assert lines <= LIMITS[name.split("/", maxsplit=1)[0]], f"{name} has {lines} lines"
    assert (ast.get_docstring(tree(name)) or "").split("\n")[0].endswith((".", ":", ";"))


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("shared/") and has_code(name)])
def test_what_is_shared_is_no_crumb(name: str) -> None:
    """A module of a few lines belongs to another: only the face of a folder may be short."""
    lines = (ROOT / name).read_text(encoding="utf-8").count("\n")

    assert lines >= FLOOR or name.endswith("__init__.py"), f"{name} has {lines} lines"


def test_a_class_has_a_name_of_its_own() -> None:
    """Two of one name make a reader open the imports to learn which one is meant."""
    homes: dict[str, list[str]] = {}
    for name in [*MODULES, "router.py"]:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(f"{name}:{node.lineno}")

    assert len(homes) > 250
    assert {name: lines for name, lines in homes.items() if len(lines) > 1} == {}


def test_the_client_stays_one_file_that_can_be_read() -> None:
    text = (ROOT / "cli.py").read_text(encoding="utf-8")

    assert text.count("\n") <= CLI_LIMIT
    assert re.findall(r"^# --- (\w+)", text, re.MULTILINE) == CLI_SECTIONS.split()


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("shared/")])
def test_shared_modules_know_nothing_of_handlers_and_the_router(name: str) -> None:
    assert {module for module in ours(name) if module.split(".")[0] != "shared"} == set()


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_know_neither_each_other_nor_the_router(name: str) -> None:
    assert {module for module in ours(name) if module.split(".")[0] != "shared"} == set()


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_take_requests_and_answers_from_one_module(name: str) -> None:
    behind = ("shared.web.answers", "shared.web.body", "shared.web.query", "shared.hub", "starlette.requests")

    assert {module for module in imported(name) if module.startswith(behind)} == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("shared/")])
def test_what_is_shared_does_not_take_what_handlers_are_made_of(name: str) -> None:
    assert {module for module in ours(name) if module.startswith("shared.web.handling")} == set()


READS = {
    "store": {"get", "history", "registrations"},
    "sources": {"lag", "status", "view", "views"},
    "dry_run": set[str](),
}
"""What a handler may ask of the parts that writing goes through: whatever changes them is a call of the registry."""


def reached_past_the_registry(code: ast.AST) -> list[str]:
    """Return each use of a part that writes which is no reading of it, as ``hub.store.add`` or ``hub.store`` alone."""
    attributes = [node for node in ast.walk(code) if isinstance(node, ast.Attribute)]
    reading = [
        node.value
        for node in attributes
        if isinstance(node.value, ast.Attribute) and node.attr in READS.get(node.value.attr, set())
    ]
    parts = [node for node in attributes if node.attr in READS and ast.unparse(node.value).endswith("hub")]
    waits = [node for node in attributes if node.attr in {"shown", "promise"}]
    return [ast.unparse(node) for node in (*parts, *waits) if node not in reading]


@pytest.mark.parametrize("name", HANDLERS)
def test_handlers_write_through_the_registry(name: str) -> None:
    assert reached_past_the_registry(tree(name)) == []


def test_a_write_past_the_registry_is_noticed_by_whatever_name() -> None:
    code = "await hub.store.add(new)\nstore = hub.store\nself._hub.sources.watch(row)\nawait hub.federation.shown()\n"

    assert sorted(reached_past_the_registry(ast.parse(code))) == [
        "hub.federation.shown", "hub.store", "hub.store", "self._hub.sources"
    ]  # fmt: skip


def test_who_hears_of_changes_is_said_in_one_place() -> None:
    """A part that subscribes itself does so each time it is built, and is kept for as long as the hub is."""

    def subscribes(name: str) -> bool:
        return any(isinstance(node, ast.Attribute) and node.attr == "subscribe" for node in ast.walk(tree(name)))

    assert [name for name in [*MODULES, "router.py"] if subscribes(name)] == ["shared/hub.py"]


@pytest.mark.parametrize("name", ["shared/registry.py", "shared/quotas.py"])
def test_what_decides_about_writes_knows_no_http(name: str) -> None:
    http = ("shared.web", "shared.pages", "shared.fetch")

    assert {module for module in ours(name) if module.startswith(http)} == set()


def test_which_engine_keeps_everything_is_known_in_one_place() -> None:
    """All else knows the port: another engine is another line there."""
    above = [name for name in MODULES if not name.startswith("shared/storage/")]
    engines = ("shared.storage.files", "shared.storage.memory")

    assert {name for name in above if any(one.startswith(engines) for one in ours(name))} == {"shared/hub.py"}


@pytest.mark.parametrize("name", ["shared/disk.py", "shared/saved.py"])
def test_whole_files_know_nothing_of_what_is_kept_in_them(name: str) -> None:
    assert {module for module in ours(name) if not module.startswith("shared.problems")} == set()


OWNER = "shared/sources/table.py"
"""The only module that assigns the fields of a source that is followed."""


def fields_of(name: str, class_name: str) -> set[str]:
    """Return the fields that the dataclass *class_name* of the module *name* declares."""
    (declared,) = [node for node in tree(name).body if isinstance(node, ast.ClassDef) and node.name == class_name]
    return {ast.unparse(node.target) for node in declared.body if isinstance(node, ast.AnnAssign)}


def assigned_of_others(code: ast.AST, fields: set[str]) -> list[str]:
    """Return each assignment, by whatever statement, to one of *fields* of something that is not ``self``."""
    attributes = [node for node in ast.walk(code) if isinstance(node, ast.Attribute) and node.attr in fields]
    written = [node for node in attributes if not isinstance(node.ctx, ast.Load) and ast.unparse(node.value) != "self"]
    calls = [node for node in ast.walk(code) if isinstance(node, ast.Call)]
    setting = [node for node in calls if ast.unparse(node.func).endswith(("setattr", "__setattr__"))]
    named = [node for node in setting if not isinstance(node.args[1], ast.Constant) or node.args[1].value in fields]
    return [ast.unparse(node) for node in (*written, *named)]


def test_one_module_assigns_the_fields_of_a_source() -> None:
    fields = fields_of("shared/sources/source.py", "Source")
    package = [name for name in MODULES if name.startswith("shared/sources/")]
    of_itself = [node for node in ast.walk(tree("shared/sources/source.py")) if isinstance(node, ast.Attribute)]

    assert fields >= {"view", "due", "host", "flight", "epoch"}
    assert [name for name in package if assigned_of_others(tree(name), fields)] == [OWNER]
    assert [ast.unparse(node) for node in of_itself if not isinstance(node.ctx, ast.Load)] == []


def test_an_assignment_is_noticed_by_whatever_statement() -> None:
    code = "a.due = 1\nb.b.due += 1\nfor c.due in x: pass\ndel d.due\nt, e.due = 1, 2\nself.due = f.due\n"
    code += "with x as g.due: pass\n"
    called = "setattr(a, 'due', 1)\nobject.__setattr__(b, 'due', 1)\nsetattr(c, name, 1)\nsetattr(d, 'other', 1)\n"

    written = assigned_of_others(ast.parse(code), {"due"})
    assert sorted(written) == ["a.due", "b.b.due", "c.due", "d.due", "e.due", "g.due"]
    assert assigned_of_others(ast.parse(called), {"due"}) == called.splitlines()[:3]


def test_what_changes_a_source_is_called_within_its_package_alone() -> None:
    """Whatever says something about sources, like metrics, findings and pages, gets views, which are frozen."""
    outside = [name for name in [*MODULES, "router.py", "cli.py"] if not name.startswith("shared/sources/")]
    inner = ("shared.sources.source", "shared.sources.table", "shared.sources.queue")

    assert [(name, one) for name in outside for one in ours(name) if one.startswith(inner)] == []


def test_the_dictionary_of_the_sources_belongs_to_one_class() -> None:
    """What others get of it is a source, a copy, or what ``values`` shows."""
    nodes = [node for node in ast.walk(tree(OWNER)) if not isinstance(node, ast.Attribute | ast.Subscript)]
    children = [(node, child) for node in nodes for child in ast.iter_child_nodes(node)]
    whole = [ast.unparse(node) for node, child in children if ast.unparse(child) == "self._sources"]

    assert whole == ["self._sources: dict[str, Source] = {}", "len(self._sources)"]


UNDER_MODEL = {"shared.model", "shared.problems", "shared.yaml_out"}
UNDER_FORMATS = {
    *UNDER_MODEL, "shared.formats", "shared.characters", "shared.schemas", "shared.shortage", "shared.strict_json",
    "shared.threads",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(("shared/model/", "shared/formats/"))])
def test_nouns_and_formats_know_nothing_of_what_uses_them(name: str) -> None:
    allowed = UNDER_MODEL if name.startswith("shared/model/") else UNDER_FORMATS
    if name == "shared/formats/manifest.py":
        # Its URLs are those that a hub would register, so they are judged by the rules of fetching.
        allowed = allowed | {"shared.fetch"}
    homes = tuple(f"{home}." for home in allowed)

    assert {module for module in ours(name) - {"shared"} if not f"{module}.".startswith(homes)} == set()


BELOW_THE_WEB = tuple(
    f"shared/{name}/"
    for name in ("backup", "federation", "fetch", "findings", "formats", "model", "search", "sources", "storage")
)
ABOVE = ("shared.web", "shared.pages", "shared.discovery", "shared.server", "shared.registry", "shared.contract")


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(BELOW_THE_WEB)])
def test_what_checks_composes_and_searches_knows_nothing_of_requests_and_pages(name: str) -> None:
    assert [module for module in ours(name, types_too=False) if f"{module}.".startswith(ABOVE)] == []


def test_entries_are_decoded_in_one_place() -> None:
    def decodes(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node).startswith(("orjson.loads(", "json.loads(")) and any(
            isinstance(one, ast.Attribute) and one.attr == "json" for one in node.args
        )

    assert [name for name in MODULES if any(map(decodes, ast.walk(tree(name))))] == ["shared/model/capability.py"]


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("shared/problems/base.py", set()), ("shared/settings.py", {"shared.problems"}), ("shared/version.py", set())],
)
def test_what_everyone_may_import_imports_next_to_nothing_of_ours(name: str, allowed: set[str]) -> None:
    assert {module for module in ours(name) if not any(module.startswith(one) for one in allowed)} == set()


def test_the_client_needs_nothing_of_ours_at_the_top() -> None:
    at_the_top = {node for node in tree("cli.py").body if isinstance(node, ast.Import | ast.ImportFrom)}
    names = {alias.name for node in at_the_top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in at_the_top if isinstance(node, ast.ImportFrom)}

    assert {name.split(".")[0] for name in names} <= {*sys.stdlib_module_names}
    assert {module.split(".")[0] for module in ours("cli.py")} <= {"router", "shared"}


@pytest.mark.parametrize("name", ["shared/model/compose.py", "shared/model/rules.py"])
def test_what_decides_does_no_input_or_output(name: str) -> None:
    reached, todo = set[str](), [name]
    while todo:
        names = imported(todo.pop(), types_too=False)
        reached |= {module.split(".")[0] for module in names}
        todo += [path for path in (f"{module.replace('.', '/')}.py" for module in names) if path in MODULES]

    assert reached & IO_MODULES == set()
    names_used = {node.id for node in ast.walk(tree(name)) if isinstance(node, ast.Name)}
    assert not names_used & {"open", "print", "input"}


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("tinydb", ["shared/storage/files/table.py"]),
        ("fastjsonschema", ["shared/schemas.py"]),
        ("prometheus_client", ["shared/metrics.py"]),
        ("httpx", [f"shared/fetch/{name}.py" for name in ("connection", "exchange", "network", "urls")]),
        ("h11", ["shared/fetch/exchange.py"]),
        ("jinja2", ["shared/pages/__init__.py"]),
    ],
)
def test_a_library_has_one_home(library: str, home: list[str]) -> None:
    users = [name for name in MODULES if any(m.split(".")[0] == library for m in imported(name, types_too=False))]

    assert users == home


def test_what_to_read_first_is_as_short_as_its_heading_says() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.search(r"## The (\d+) lines to read first\n(.*?)\n## ", text, re.DOTALL)
    assert section is not None
    named = re.findall(r"^\d+\. `([\w/]+\.py)`", section[2], re.MULTILINE)

    lines = sum((ROOT / name).read_text(encoding="utf-8").count("\n") for name in named)
    assert len(named) >= 3
    assert lines == pytest.approx(int(section[1]), rel=0.2)


def test_starlette_is_known_where_http_is_spoken_and_nowhere_else_in_what_is_shared() -> None:
    users = {name for name in MODULES if any(m.split(".")[0] == "starlette" for m in imported(name))}

    folders = {"/".join(name.split("/")[:2]) for name in users if name.startswith("shared/")}
    assert folders == {"shared/pages", "shared/server", "shared/web"}


def texts() -> dict[str, str]:
    """Return every text file (all but pictures) of the project, as git knows them or, without git, as they lie."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    named = [name for name in listed if (ROOT / name).is_file() and not name.endswith(".png")]
    return {name: (ROOT / name).read_text(encoding="utf-8") for name in named}


# Written in pieces, because this file is looked at too.
UNWANTED = {
    "a path of one machine": r"(?<![\w.$}~-])/" + r"(work|root|home/\w+|Users/\w+)/",
    "something left undone": r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b",
    "a conflict of git": r"^(<{7}|>{7}) ",
}


@pytest.mark.parametrize(("pattern", "what"), [pytest.param(p, w, id=w) for w, p in UNWANTED.items()])
def test_no_text_of_the_project_holds(pattern: str, what: str) -> None:
    found = [
        f"{name}:{text[: match.start()].count(chr(10)) + 1}"
        for name, text in texts().items()
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]

    assert found == [], what


PATCHED = {
    # The client is one file, whose bounds no caller chooses; the real one would take 256 MiB of the test's memory.
    "tests/cli/test_hostile.py": ["MOST"],
    # It stands for another version of the program: within one version this never changes.
    "tests/shared/federation/test_document.py": ["_ENCODING"],
}
"""The constants of ours that tests set all the same, each with its reason."""


def constants_set(text: str) -> list[str]:
    """Return the constants that a test sets from outside: by ``setattr``, by their dotted path, or by assigning."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "setattr":
            paths = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
            names += [str(path) for path in paths if "." not in str(path) or str(path).split(".")[0] in OURS]
        elif isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.attr for target in targets if isinstance(target, ast.Attribute)]
    return [constant for name in names if re.fullmatch(r"_?[A-Z][A-Z0-9_]*", constant := name.split(".")[-1])]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("monkeypatch.setattr(module, 'MOST', 3)", ["MOST"]),
        ("with patch.context() as one:\n    one.setattr('shared.model.window._MOST', 3)", ["_MOST"]),
        ("setattr(shared.search, 'MOST_2', 3)", ["MOST_2"]),
        ("module.MOST = 3", ["MOST"]),
        ("module.MOST += 3", ["MOST"]),
        ("monkeypatch.setattr('asyncio.constants.DELAY', 3)\nMOST = 3\nmonkeypatch.setattr(os, 'fsync', 3)", []),
    ],
    ids=["by name", "by path", "plainly", "assigned", "added to", "what is not ours, or no constant"],
)
def test_a_constant_that_a_test_sets_is_seen(text: str, names: list[str]) -> None:
    assert constants_set(text) == names


def test_what_a_test_wants_otherwise_is_an_argument_and_no_constant_is_patched() -> None:
    files = sorted((ROOT / "tests").rglob("*.py"))
    found = {str(path.relative_to(ROOT)): constants_set(path.read_text(encoding="utf-8")) for path in files}

    assert {name: names for name, names in found.items() if names} == PATCHED
