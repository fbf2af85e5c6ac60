"""A person's collection: what it holds, what it sounds like, its tags, and lists of it."""
