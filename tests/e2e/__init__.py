"""The server from the outside: real browsers, real clients, real processes."""
