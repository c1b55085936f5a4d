"""The hub behind real proxies, set up as docs/deploy/Proxies.md says."""
