"""What a client draws beside a tool, resource or prompt: by what it does, in one table.

An icon is shown to people and never to a model. Each is an SVG inside its own address, since what
would have to be fetched from somewhere may be missing there, or watched (MCP specification,
basic, Icons).
"""

from __future__ import annotations

import base64

from mcp_types import Icon

from redmine_mcp_core.tools.declaration import Effect

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{colour}"'
    ' stroke-width="2"><path d="{path}"/></svg>'
)

_RED, _AMBER, _BLUE, _GREEN, _VIOLET = "#d33", "#c70", "#28c", "#2a6", "#85c"
"""Each stands out on a light ground as well as on a dark one."""


def _icon(colour: str, path: str) -> Icon:
    drawn = _SVG.format(colour=colour, path=path).encode()
    return Icon(
        src=f"data:image/svg+xml;base64,{base64.b64encode(drawn).decode()}",
        mime_type="image/svg+xml",
        sizes=["any"],
    )


OF_EFFECT = {
    Effect.READS: _icon(_BLUE, "M2 12q10-14 20 0q-10 14-20 0M12 9v6"),  # an eye
    Effect.WRITES: _icon(_AMBER, "M4 20l1-5L16 4l4 4L9 19z"),  # a pencil
    Effect.DESTROYS: _icon(_RED, "M4 6h16M9 6V3h6v3M6 6l1 15h10l1-15"),  # a bin
}
RESOURCE = _icon(_GREEN, "M6 2h8l4 4v16H6zM14 2v4h4")  # a sheet of paper
PROMPT = _icon(_VIOLET, "M3 4h18v12H10l-5 5v-5H3z")  # a speech bubble
