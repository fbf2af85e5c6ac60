"""Small nets beside the genre's, which learn tempo and key from the same features."""
