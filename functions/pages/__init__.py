"""The pages for people, and their assets."""
