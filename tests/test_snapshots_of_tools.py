"""The snapshots that plugin authors hold their tools to."""

from __future__ import annotations

from pathlib import Path

import pytest

from redmine_mcp_core import Plugin, Result
from redmine_mcp_core.testing import hold_to_snapshots


class Forecast(Result):
    """The weather of a day."""

    day: str

    def text(self) -> str:
        return self.day


def plugin_with(description: str) -> Plugin:
    async def forecast(day: str) -> Forecast:
        return Forecast(day=day)

    forecast.__doc__ = description
    plugin = Plugin()
    plugin.tool(title="Forecast", scopes={"view_issues"}, read_only=True)(forecast)
    return plugin


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Snapshots of one tool, written as the variable says."""
    monkeypatch.setenv("SNAPSHOTS", "write")
    hold_to_snapshots(plugin_with("Foretell the weather.").tools, tmp_path / "snapshots")
    monkeypatch.delenv("SNAPSHOTS")
    return tmp_path / "snapshots"


def test_what_did_not_change_passes(folder: Path) -> None:
    """Another run tells the same."""
    hold_to_snapshots(plugin_with("Foretell the weather.").tools, folder)


def test_a_change_is_shown(folder: Path) -> None:
    """Line by line, with what to do if it is meant."""
    with pytest.raises(AssertionError, match=r"SNAPSHOTS=write") as caught:
        hold_to_snapshots(plugin_with("Foretell the storm.").tools, folder)

    assert '- "description": "Foretell the weather."' in str(caught.value)
    assert '+ "description": "Foretell the storm."' in str(caught.value)


def test_a_new_tool_wants_a_snapshot(tmp_path: Path) -> None:
    """Nothing is written unless that is asked for."""
    with pytest.raises(AssertionError, match=r"SNAPSHOTS=write"):
        hold_to_snapshots(plugin_with("Foretell the weather.").tools, tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_tool_that_is_gone_takes_its_snapshot_with_it(folder: Path) -> None:
    """Else the folder would tell of tools that nobody has."""
    with pytest.raises(AssertionError, match="forecast"):
        hold_to_snapshots([], folder)
