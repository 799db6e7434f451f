"""The arrows of the design: which room may import which, read from the imports themselves."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CORE = "redmine_mcp_core"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))

KNOWS_EVERYBODY = {
    "cli",
    "commands",
    "docs",
    "http",
    "local",
    "server",
    "serving",
    "several",
    "ways_in",
    "workers",
}

MAY_IMPORT: dict[str, set[str]] = {
    # What knows nothing of the server.
    "redmine": set(),
    "storage": set(),
    "results": set(),
    "demo": set(),
    "secret_files": set(),
    "settings": {"edge.settings", "secret_files"},
    "keys": {"settings", "storage"},
    "seams": set(),
    "auth.caller": set(),
    "observability": set(),
    "observability.health": set(),
    "observability.correlation": set(),
    "observability.log_events": set(),
    "observability.logs": {"observability.quoting", "observability.tracebacks"},
    "observability.quoting": set(),
    "observability.metric_table": set(),
    "observability.plugin_metrics": set(),
    "observability.traces": {"observability.correlation", "observability.logs"},
    "observability.tracebacks": set(),
    "observability.worker_metrics": set(),
    # What a plugin and the host say to each other.
    "tools": {"auth.caller", "redmine", "results", "storage"},
    "events": {"auth.caller", "observability.correlation", "tools"},
    "hookspecs": {
        "demo",
        "events",
        "observability.health",
        "observability.plugin_metrics",
        "storage",
        "tools",
    },
    "": {
        "auth.caller",
        "demo",
        "events",
        "observability.health",
        "observability.plugin_metrics",
        "redmine",
        "results",
        "storage",
        "tools",
    },
    # What watches.
    "observability.metrics": {
        "observability.metric_table",
        "observability.plugin_metrics",
        "observability.worker_metrics",
    },
    "observability.counting": {"events", "observability.metrics"},
    "observability.audit": {"events", "observability.logs", "tools"},
    "observability.outgoing": {
        "observability.correlation",
        "observability.metrics",
        "observability.traces",
    },
    "observability.requests": {
        "observability.correlation",
        "observability.logs",
        "observability.metrics",
        "observability.traces",
    },
    "observability.stores": {"observability.metrics", "storage"},
    # What runs the plugins.
    "plugins": {
        "demo",
        "events",
        "hookspecs",
        "observability.health",
        "observability.logs",
        "observability.plugin_metrics",
        "observability.tracebacks",
        "storage",
        "tools",
    },
    "builtins": {
        "events",
        "observability.audit",
        "observability.counting",
        "observability.health",
        "observability.logs",
        "observability.metrics",
        "redmine",
        "storage",
        "tools",
    },
    "mcp": {
        "builtins",
        "events",
        "observability.correlation",
        "observability.logs",
        "observability.metrics",
        "observability.traces",
        "plugins",
        "redmine",
        "seams",
        "settings",
        "tools",
    },
    # What every request passes first.
    "edge": {
        "edge.counting",
        "edge.networks",
        "edge.replaying",
        "edge.settings",
        "observability.health",
        "observability.logs",
    },
    "edge.counting": {"storage"},
    "edge.networks": set(),
    "edge.replaying": set(),
    "edge.settings": set(),
    # Who is calling.
    "auth": {
        "edge.counting",
        "edge.networks",
        "edge.replaying",
        "events",
        "observability.logs",
        "redmine",
        "results",
        "seams",
        "settings",
        "storage",
    },
    # How clients are told of a server.
    "clients": {"auth", "demo", "secret_files", "settings"},
    # A bridge to any MCP server: it knows nothing of ours.
    "connect": {"observability.logs"},
    # What a set-up is looked at for.
    "checks": {"keys", "plugins", "redmine", "settings", "storage"},
    # For plugin authors: a whole server in one process, and the store contract.
    "testing": {
        "auth.caller",
        "builtins",
        "mcp",
        "observability.metrics",
        "plugins",
        "redmine",
        "storage",
        "tools",
    },
}
"""What each room may import besides itself. A room is a module or a package; where a package holds
a module that others may know and that knows less, that module is a room of its own."""

ROOMS = sorted({*MAY_IMPORT, *KNOWS_EVERYBODY}, key=len, reverse=True)


def module_name(path: Path) -> str:
    """The dotted name inside the core: ``redmine.client``, ``cli``, and "" for the core itself."""
    parts = path.relative_to(ROOT / CORE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted((ROOT / CORE).rglob("*.py"))}


def room_of(module: str) -> str:
    for room in ROOMS:
        if room and (module == room or module.startswith(f"{room}.")):
            return room
    assert not module, f"{module} is in no room: add it to MAY_IMPORT, with as little as it needs"
    return ""


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative path"
            module = node.module or ""
            if module == CORE or f"{CORE}." in f"{module}.":
                # `from package import module` imports that module.
                yield from (
                    f"{module}.{alias.name}"
                    if f"{module}.{alias.name}".removeprefix(f"{CORE}.") in MODULES
                    else module
                    for alias in node.names
                )
            else:
                yield module


def core_imports(path: Path) -> set[str]:
    found = {name for name in imports(path) if name.split(".")[0] == CORE}
    return {name.removeprefix(CORE).removeprefix(".") for name in found}


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_what_it_may(module: str) -> None:
    """Nothing walks up: a room knows its own modules and those that the table names."""
    room = room_of(module)
    if room in KNOWS_EVERYBODY:
        return

    seen = {room_of(other) for other in core_imports(MODULES[module])} - {room}

    assert seen <= MAY_IMPORT[room], f"{module} imports {sorted(seen - MAY_IMPORT[room])}"


def test_the_table_allows_no_more_than_is_used() -> None:
    """An arrow that nobody needs any more is taken out of the table."""
    used: dict[str, set[str]] = {room: set() for room in MAY_IMPORT}
    for module, path in MODULES.items():
        room = room_of(module)
        if room in used:
            used[room] |= {room_of(other) for other in core_imports(path)} - {room}

    unused = {room: sorted(MAY_IMPORT[room] - used[room]) for room in used}

    assert {room: arrows for room, arrows in unused.items() if arrows} == {}


def test_no_arrows_form_a_circle() -> None:
    """From no room does a way of imports lead back to it."""

    def walk(room: str, way: tuple[str, ...]) -> None:
        assert room not in way, " -> ".join([*way, room])
        for other in MAY_IMPORT.get(room, ()):
            walk(other, (*way, room))

    for room in MAY_IMPORT:
        walk(room, ())


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugin_imports_only_the_core_itself(folder: Path) -> None:
    """What stands in ``redmine_mcp_core/__init__.py`` is the contract; the rest may change."""
    package = f"redmine_mcp_{folder.name}"
    for path in (folder / package).rglob("*.py"):
        ours = {name for name in imports(path) if name.startswith("redmine_mcp_")}

        assert ours <= {CORE} | {name for name in ours if name.split(".")[0] == package}, path


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugins_tests_need_no_more_than_an_author_has(folder: Path) -> None:
    """The core itself, its ``testing`` room, the plugin, and the sandbox."""
    for path in (folder / "tests").rglob("*.py"):
        for name in imports(path):
            package, _, rest = name.partition(".")
            if package == CORE:
                assert rest.split(".")[0] in {"", "testing"}, f"{path} imports {name}"
            assert package != "tests", f"{path} imports {name}"
            if package.startswith("redmine_mcp_"):
                allowed = {CORE, "redmine_mcp_sandbox", f"redmine_mcp_{folder.name}"}
                assert package in allowed, f"{path} imports {name}"


def packages() -> list[Path]:
    return [ROOT / CORE, *(folder / f"redmine_mcp_{folder.name}" for folder in PLUGINS)]


SOURCES = sorted(path for package in packages() for path in package.rglob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


LAZY = ROOT / CORE / "__init__.py"
"""It hands names on when they are asked for, which takes a function (tests/test_exports.py)."""


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name == "__init__.py" and path != LAZY], ids=relative
)
def test_a_package_file_only_hands_names_on(path: Path) -> None:
    """A docstring, imports and ``__all__``: nothing is defined there."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_all = isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [
            "__all__"
        ]

        assert is_docstring or is_all or isinstance(node, ast.Import | ast.ImportFrom), (
            f"{relative(path)}:{node.lineno} defines something"
        )


OTHERS = [
    path
    for folder in ("benchmarks", "examples", "plugins/*/tests", "tests")
    for path in sorted(ROOT.glob(f"{folder}/**/*.py"))
]


@pytest.mark.parametrize("path", [*SOURCES, *OTHERS], ids=relative)
def test_a_module_can_be_read_at_once(path: Path) -> None:
    """At most 400 lines, with a docstring that says why it exists."""
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(text)), "no docstring"


PRIVATE = re.compile(r"\b(?:super\(\)|mcp|server|client|proxy|fastmcp|request|app|host)\._[a-z]\w*")


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path != ROOT / CORE / "seams.py"], ids=relative
)
def test_private_names_of_fastmcp_stay_in_the_seams(path: Path) -> None:
    """What a release of FastMCP may move is repaired in one file."""
    code = "\n".join(
        line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines()
    )
    private_modules = [
        name
        for name in imports(path)
        if name.split(".")[0] in {"fastmcp", "mcp", "mcp_types", "sse_starlette"}
        and any(part.startswith("_") for part in name.split("."))
    ]

    assert PRIVATE.findall(code) == []
    assert private_modules == []


def private_names_of_theirs(module: str) -> Iterator[str]:
    """What a module's classes override or use of the private side of the SDKs' classes."""
    name = f"{CORE}.{module}".rstrip(".")
    for cls in vars(importlib.import_module(name)).values():
        if not inspect.isclass(cls) or cls.__module__ != name:
            continue
        bases = [base for base in cls.__mro__ if base.__module__.split(".")[0] in SDKS]
        theirs = "\n".join(map(inspect.getsource, bases))
        source = inspect.getsource(cls)
        used = {*re.findall(r"(?:self|super\(\))\.(_[a-z]\w*)", source)}
        for private in sorted(used | {name for name in vars(cls) if re.match(r"_[a-z]", name)}):
            if re.search(rf"(?:def |self\.){private}\b", theirs):
                yield f"{cls.__name__}.{private}"


SDKS = {"fastmcp", "mcp", "mcp_types"}

MEANT_TO_BE_OVERRIDDEN = {
    "ComponentIndex": """
    _list_tools _get_tool _list_resources _get_resource _list_resource_templates
    _get_resource_template _list_prompts _get_prompt
    """.split(),
}
"""Abstract methods of FastMCP: what a provider is."""


@pytest.mark.parametrize("module", [module for module in MODULES if module != "seams"])
def test_private_methods_of_fastmcp_stay_in_the_seams(module: str) -> None:
    """Besides what FastMCP means to be overridden, only the seams do that."""
    allowed = {
        f"{cls}.{method}" for cls, methods in MEANT_TO_BE_OVERRIDDEN.items() for method in methods
    }

    assert set(private_names_of_theirs(module)) <= allowed
