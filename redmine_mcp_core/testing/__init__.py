"""For tests of plugins: what a plugin author checks a plugin with."""
