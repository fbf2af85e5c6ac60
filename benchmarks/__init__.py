"""How fast and how light Genrescope is, beside what one would use instead: ``make bench``."""
