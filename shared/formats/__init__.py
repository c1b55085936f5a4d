"""Source formats: how a document that was fetched becomes capabilities, and the readers of YAML and JSON."""
