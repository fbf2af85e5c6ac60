"""From a recipe and a feature store to a finished run."""
