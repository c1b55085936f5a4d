"""The storage engine on files: TinyDB for registrations, and a file for each content, in one data directory."""
