"""What the hub offers to programs, by name: the overview shows it to people and tells it to programs."""

from __future__ import annotations

OFFERS = {
    "federated": "/v1/federated",
    "capabilities": "/v1/capabilities",
    "repos": "/v1/repos",
    "catalog": "/.well-known/ard.json",
    "agents": "/llms.txt",
    "client": "/cli.py",
    "openapi": "/openapi.json",
    "health": "/health",
}
"""Where each of them lies under the public URL."""
