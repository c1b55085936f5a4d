"""Documents of sources: the federation manifest, and the validation of indexes and manifests."""
