"""What repositories and capabilities are grouped by: /v1/domains."""
