"""The hub itself: health, metrics, backup, findings, client, contract and problems."""
