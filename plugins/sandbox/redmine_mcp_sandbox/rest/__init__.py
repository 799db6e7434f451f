"""Redmine's REST API, reads only."""

from __future__ import annotations

from redmine_mcp_sandbox.rest.routes import rest_routes

__all__ = ["rest_routes"]
