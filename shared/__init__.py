"""Everything that two or more handlers use: storage, fetching, checking, composing, searching, and HTTP."""
