"""What the bundle starts: ``redmine-mcp stdio``, set up by variables that the person filled in."""

from __future__ import annotations

import sys

from redmine_mcp_core.cli import main

sys.argv = ["redmine-mcp", "stdio"]
main()
