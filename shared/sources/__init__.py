"""The life of a source: due, fetched, checked, stale; its last good content in memory and on disk."""
