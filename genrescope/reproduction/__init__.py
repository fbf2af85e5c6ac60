"""The talk's experiments: every cell of the tables, and the report."""
