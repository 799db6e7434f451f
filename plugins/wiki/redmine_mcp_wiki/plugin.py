"""The plugin object; the modules with its tools declare them on it."""

from __future__ import annotations

from redmine_mcp_core import Plugin

plugin = Plugin()
