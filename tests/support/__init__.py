"""Small real things that several tests use: servers on loopback, and a browser without a screen."""
