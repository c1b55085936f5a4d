"""The registrations: /v1/repos."""
