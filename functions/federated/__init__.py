"""The federated index: /v1/federated."""
