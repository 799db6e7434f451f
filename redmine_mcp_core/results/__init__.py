"""What a model reads back: typed results, budgets, and text written by strangers."""

from redmine_mcp_core.results.result import Result
from redmine_mcp_core.results.text import Quotation, line, shorten, visible

__all__ = ["Quotation", "Result", "line", "shorten", "visible"]
