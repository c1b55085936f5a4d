"""The tokens of a hub. What one may write: shared/model/author.py. How a request sends one: shared/web/auth.py."""
