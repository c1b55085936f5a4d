"""Documents about sources, looked at before they are published."""
