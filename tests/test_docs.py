"""The documentation: what it names exists, what is made from the code is up to date, it builds."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclopts import App

from redmine_mcp_core import cli
from redmine_mcp_core.docs import tables as docs
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.several import OWN, setting_of
from tests.support.names_of_tests import names_in

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
    *sorted(ROOT.glob("deploy/*/README.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]
PICTURES = sorted(ROOT.glob("docs/pictures/*"))

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """The page without its blocks of code."""
    return CODE.sub("", text_of(page))


@cache
def anchors_of(page: Path) -> set[str]:
    """What the headings of a page are called in addresses."""
    words = (
        re.sub(r"[^\w\s-]", "", heading.lower()) for heading in HEADING.findall(prose_of(page))
    )
    return {re.sub(r"\s+", "-", word.strip()) for word in words}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file that there is, and to a heading in it."""
    for link in LINK.findall(prose_of(page)):
        path, _, anchor = link.partition("#")
        if "://" in link or link.startswith("mailto:"):
            continue
        target = (page.parent / path).resolve() if path else page

        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors_of(target), f"{link}: no such heading"


FILE = re.compile(
    r"`((?:tests|redmine_mcp_core|plugins|examples|deploy|scripts)/[^`:\s]*)(?:::([\w:]+))?`"
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_and_test_that_is_named_exists(page: Path) -> None:
    """A promise that names a test which was renamed or deleted is held by nothing."""
    for path, test in FILE.findall(prose_of(page)):
        assert (ROOT / path).exists(), f"{path}: no such file"
        if test:
            assert test in names_in(ROOT / path), f"{path} has no test {test}"
            assert test.rpartition("::")[2].startswith("test_"), f"{test} is no test"


# --- Commands and settings


def commands_in(page: Path) -> Iterator[list[str]]:
    """The words of each call of ours in a page: in blocks of code, and alone between backticks."""
    for _, block in CODE.findall(text_of(page)):
        lines = block.replace("\\\n", " ").splitlines()
        calls = (re.match(r"(?:[A-Z_]+=\S+ )*(?:\S*/)?redmine-mcp (.*)", line) for line in lines)
        yield from (words_of(call[1]) for call in calls if call)
    for call in re.findall(r"`(?:\S*/)?redmine-mcp ([^`]+)`", prose_of(page)):
        yield words_of(call)


def words_of(call: str) -> list[str]:
    """Without what stands for something: ``COMMAND``, ``[ARGS]``, ``…``."""
    words = shlex.split(re.split(r"[|>&;]|\s#", call)[0].replace("'", ""))
    return [word for word in words if word != "…" and not word.strip("[]").isupper()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_exists(page: Path) -> None:
    """With its subcommands and its options."""
    for words in commands_in(page):
        app, rest = walk(cli.app, words)
        options = {word.split("=")[0] for word in rest if word.startswith("--")}
        takes_words = app.default_command is not None

        assert takes_words or not rest or options, f"redmine-mcp {' '.join(words)}: no such command"
        assert options <= options_of(app), f"redmine-mcp {' '.join(words)}: no such option"


def walk(app: App, words: list[str]) -> tuple[App, list[str]]:
    """Go down into commands as far as words name them; the words that are left."""
    while words and not words[0].startswith("-") and words[0] in list(app):
        app, words = app[words[0]], words[1:]
    return app, words


def options_of(app: App) -> set[str]:
    known = {name for name in [*app, *cli.app] if name.startswith("-")}
    if app.default_command is not None:
        known |= {name for item in app.assemble_argument_collection() for name in item.names}
    return known


ELSEWHERE = {
    "MCP_CONNECT_CLIENT_SECRET": "redmine-mcp connect",
    "MCP_CONNECT_KEY": "redmine-mcp connect",
    "MCP_CONNECT_TOKEN": "redmine-mcp connect",
    "REDMINE_BASE_URL": "a peer, in moving.md",
    "REDMINE_HOST": "a peer, in moving.md",
    "REDMINE_INTERN_": "any setting of one of several",
}
"""What looks like a setting of the server and is none, by whose it is."""


def all_settings() -> set[str]:
    names = set(Settings.model_fields)
    for_one = {name for name in names if name.startswith("redmine_")} | OWN
    named = {setting_of(field, name) for field in for_one for name in ("intern", "kunden")}
    every = {name.upper() for name in names} | named
    return every | {f"{name}_FILE" for name in every} | set(ELSEWHERE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    """A reader who sets it is not ignored."""
    named = set(re.findall(r"(?<![\w$])(?:REDMINE|MCP|JWT|TOKEN)_[A-Z_]+", text_of(page)))

    assert named <= all_settings()


def test_every_setting_is_in_the_reference_once() -> None:
    """In a table with others of its kind."""
    grouped = [name for names in docs.GROUPS.values() for name in names]

    assert sorted(grouped) == sorted(name.upper() for name in Settings.model_fields)
    assert all(f"| `{name}` |" in text_of(ROOT / "docs/settings.md") for name in grouped)


# --- What is made from the code


@cache
def generator() -> ModuleType:
    loader = SourceFileLoader("scripts_docs", str(ROOT / "scripts" / "docs"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date() -> None:
    """``make docs`` writes them: tables, quotations of the tutorial's plugin, the page of tools."""
    stale = [
        name_of(path)
        for path, text in generator().pages()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]

    assert stale == []


def test_the_readme_is_short() -> None:
    """Who opens it sees what this is, two commands and where to go on."""
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


def test_pictures_are_small_and_shown() -> None:
    """A repository keeps every picture that it ever had."""
    shown = "".join(text_of(page) for page in PAGES)
    for picture in PICTURES:
        assert picture.stat().st_size < 80_000
        assert f"pictures/{picture.name}" in shown
        assert picture.suffix != ".svg" or "@font-face" not in picture.read_text()


# --- What must stand nowhere

REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("hub", "docker", "com"),
    ]
]


def files() -> list[Path]:
    """What is in the repository, or would be after ``git add``."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("THE FILES WERE NOT SEARCHED: this is no clone, or git is not here")
    return [path for name in listed.stdout.split("\0") if (path := ROOT / name).is_file()]


def test_no_file_names_a_registry_or_this_machine() -> None:
    """Where packages come from is for each machine to say, and where things lie on it as well."""
    here = [str(path) for path in (ROOT, Path(sys.prefix)) if len(path.parts) > 2]
    wrong = [
        f"{name_of(path)}: {word}"
        for path in files()
        for text in [path.read_bytes().decode("utf-8", errors="ignore")]
        for word in [*REGISTRIES, *here]
        if word in text
    ]

    assert wrong == []


# --- The site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built strictly: a broken link, or a page in no order, is an error."""
    if find_spec("mkdocs") is None:
        pytest.skip("THE SITE WAS NOT BUILT: mkdocs-material is not installed")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.docs
def test_the_site_fetches_nothing(site: Path) -> None:
    """It can be read without a network: no font, script, style or picture of another host."""
    loads = re.compile(
        r"<(?:script|img|iframe|link(?![^>]*canonical))[^>]*?(?:src|href)=\"?(?:https?:)?//"
    )
    pages = sorted(site.rglob("*.html"))
    fetching = [page.name for page in pages if loads.search(page.read_text(encoding="utf-8"))]

    assert len(pages) > 30
    assert fetching == []


@pytest.mark.docs
def test_the_site_can_be_searched(site: Path) -> None:
    """A setting, a tool and a metric are found, each on its page."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    found = {
        word: {entry["location"].split("#")[0] for entry in index["docs"] if word in entry["text"]}
        for word in ("MCP_DRAIN_SECONDS", "update_issue", "redmine_mcp_sign_ins_total")
    }

    assert "settings.html" in found["MCP_DRAIN_SECONDS"]
    assert "tools.html" in found["update_issue"]
    assert "operations.html" in found["redmine_mcp_sign_ins_total"]


@pytest.mark.docs
def test_the_site_has_what_lies_beside_the_docs(site: Path) -> None:
    """A link out of docs/ leads to a page of the site."""
    page = (site / "operations.html").read_text(encoding="utf-8")
    shown = (site / "repository/deploy/nginx/redmine-mcp.conf.html").read_text(encoding="utf-8")

    assert 'href="repository/deploy/nginx/redmine-mcp.conf.html"' in page
    assert "proxy_pass" in shown


# --- The tutorial


@pytest.mark.wheels
def test_the_plugin_of_the_tutorial_is_found(tmp_path: Path) -> None:
    """Its wheel announces it: ``redmine-mcp plugins`` lists it among the others, with its tools."""
    source = ROOT / "examples" / "plugin_deadlines"
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run(
        [*build, str(tmp_path), str(source)], check=True, capture_output=True, timeout=120
    )
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    listed = subprocess.run(
        [sys.executable, "-m", "redmine_mcp_core.cli", "plugins", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )

    rows: list[dict[str, Any]] = json.loads(listed.stdout)["plugins"]
    (row,) = [row for row in rows if row["name"] == "deadlines"]
    assert row["state"] == "loaded"
    assert row["tools"] == ["list_deadlines", "postpone_issue"]
