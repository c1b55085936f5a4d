"""How other systems find the hub and what it serves: well-known documents, ARD, robots.txt, llms.txt."""
