"""What a model reads back: typed results, budgets, and text written by strangers."""

from redmine_mcp_core.results.markup import cut_text, readable
from redmine_mcp_core.results.paging import page_of
from redmine_mcp_core.results.result import Image, Result
from redmine_mcp_core.results.text import Quotation, line, quoted, shorten, visible

__all__ = [
    "Image",
    "Quotation",
    "Result",
    "cut_text",
    "line",
    "page_of",
    "quoted",
    "readable",
    "shorten",
    "visible",
]
