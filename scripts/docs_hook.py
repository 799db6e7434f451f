"""The links of the documentation that lead out of ``docs/``: the site has a page for each end.

In the repository a page links a plugin's README or a configuration as a file beside it. The site
holds only ``docs/``, so this gives it those files, and what they link to, below ``repository/``:
Markdown as a page, a folder as a list, anything else as its text.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=(?:#[^)\s]*)?\))")
"""The path of a link to a file, in Markdown; one with a colon leads to another site."""
LANGUAGES = {".yml": "yaml", ".yaml": "yaml", ".toml": "toml", ".py": "python", ".json": "json"}


def on_files(files: Files, config: Any) -> Files:
    """Add what the pages link to outside of ``docs/``, and what that links to."""
    queue = [f"docs/{page.src_uri}" for page in files.documentation_pages()]
    known = set(queue)
    while queue:
        source = queue.pop()
        path = ROOT / source
        if not source.startswith("docs/"):
            files.append(
                File.generated(
                    config,
                    _uri(source),
                    content=_content(path),
                    inclusion=InclusionLevel.NOT_IN_NAV,
                )
            )
        found = {target for target in _targets(source) if not target.startswith("docs/")}
        queue += sorted(found - known)
        known |= found
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the links lead to the pages that the site has."""
    uri = page.file.src_uri
    source = _SOURCES.get(uri, f"docs/{uri}")

    def lead(match: re.Match[str]) -> str:
        target = _target(source, match[1])
        return (
            posixpath.relpath(_uri(target), posixpath.dirname(uri) or ".") if target else match[1]
        )

    return LINK.sub(lead, markdown)


_SOURCES: dict[str, str] = {}
"""The path in the repository of a page that was added, by its path in the site."""


def _uri(path: str) -> str:
    """Where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    full = ROOT / path
    end = "/index.md" if full.is_dir() else "" if full.suffix == ".md" else ".md"
    uri = f"repository/{path}{end}"
    _SOURCES[uri] = path
    return uri


def _targets(source: str) -> set[str]:
    path = ROOT / source
    if path.is_dir():
        return {f"{source}/{child.name}" for child in path.iterdir() if child.is_file()}
    if path.suffix != ".md":
        return set()
    links = LINK.findall(path.read_text(encoding="utf-8"))
    return {target for link in links if (target := _target(source, link))}


def _target(source: str, link: str) -> str | None:
    """The path in the repository that a link leads to; None if nothing is there."""
    folder = source if (ROOT / source).is_dir() else posixpath.dirname(source)
    path = posixpath.normpath(posixpath.join(folder, link))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def _content(path: Path) -> str:
    if path.is_dir():
        files = sorted(child.name for child in path.iterdir() if child.is_file())
        return f"# {path.name}\n\n" + "\n".join(f"- [{name}]({name})" for name in files)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    return f"# {path.name}\n\n``````{LANGUAGES.get(path.suffix, '')}\n{text}\n``````\n"
