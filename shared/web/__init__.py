"""HTTP: what requests ask for, how they are answered, and the application between clients and handlers."""
