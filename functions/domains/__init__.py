"""The domains of repositories and capabilities: /v1/domains."""
