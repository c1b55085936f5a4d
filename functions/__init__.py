"""One module per endpoint; the folder is the resource. A handler reads, acts through the hub, and answers."""
