"""The hub about itself: its health, its contract, its problems."""
