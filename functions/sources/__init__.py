"""The documents about sources: the federation manifest, and the check of what is to be published."""
