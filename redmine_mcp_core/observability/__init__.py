"""Logs, redaction, metrics, health, the audit trail and traces."""
