"""Backing up a stopped hub, and restoring a backup into an empty data directory."""
