"""How MCP clients, their users and their registries are told of a server."""
