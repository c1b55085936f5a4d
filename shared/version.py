"""The version of the hub and its client."""

VERSION = "0.1.0"
