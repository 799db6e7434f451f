"""Logs, redaction, metrics and health."""
