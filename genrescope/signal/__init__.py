"""Sound in, numbers out: decoding, features, windows, polishing."""
