"""What two or more handlers need: storage, fetching, checking, composing, and how to ask and answer."""
