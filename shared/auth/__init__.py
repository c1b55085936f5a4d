"""Who may write what: tokens, and the grants that they bring. How a request sends one is in shared/web/auth.py."""
