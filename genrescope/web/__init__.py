"""The page and the HTTP API: a FastAPI app and its static files."""
