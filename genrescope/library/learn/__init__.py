"""A person's own genres: a calibrated head on a bundle's embeddings, as a bundle of its own."""
