"""The reference of the commands, made from the commands themselves (``make docs``)."""

from __future__ import annotations

import re

from redmine_mcp_core.cli import GROUPS, app

_CONTENTS = re.compile(r"#+ Table of Contents\n\n(?:- .*\n| +- .*\n)+\n")
_USELESS = " *[default: False]*"
_ANCHOR = re.compile(r"\[(`[\w-]+`)\]\(#[\w-]+\)")


def reference() -> str:
    """Every command with its options, in Markdown."""
    return "\n\n".join(
        f"## {title}\n\n" + "\n\n".join(_page(name) for name in commands)
        for title, commands in GROUPS.items()
    )


def _page(name: str) -> str:
    text = app[name].generate_docs(heading_level=3, usage_name=f"redmine-mcp {name}")
    # How this process was started, which cyclopts adds to some.
    text = text.replace(" -m pytest", "")
    # cyclopts' anchors and its contents fit a page for each command.
    text = _ANCHOR.sub(r"\1", _CONTENTS.sub("", text)).replace(_USELESS, "")
    text = re.sub(r"^#{4,} ", "#### ", text, flags=re.MULTILINE)
    return text.replace("**Parameters**", "**Options**").strip()
