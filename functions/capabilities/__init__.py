"""Finding and reading single capabilities: /v1/capabilities."""
