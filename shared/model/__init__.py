"""The nouns of the hub and the rules about them alone: no network, no store, no clock."""
