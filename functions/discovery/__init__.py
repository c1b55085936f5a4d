"""Discovery by other systems: well-known documents, ARD, robots.txt, llms.txt."""
