"""What is registered: /v1/repos."""
