"""Any recording to samples: decoding, mixing, resampling, and what was wrong with the file."""
