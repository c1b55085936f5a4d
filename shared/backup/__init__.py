"""Backups of a stopped hub, and bringing one back into an empty data directory."""
