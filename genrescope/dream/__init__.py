"""What the net believes: a small synthesiser, and a search for what the net takes for a genre."""
