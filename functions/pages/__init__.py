"""The pages for people, and what their browsers load with them."""
