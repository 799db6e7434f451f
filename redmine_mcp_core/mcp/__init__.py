"""The MCP server that is made of all plugins, and a call's way through it."""
