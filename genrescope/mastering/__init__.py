"""A more beautiful version of a recording: cleaning and loudness."""
