"""What ``redmine-mcp`` can do, a module per command; ``cli.py`` imports each when it is called."""
