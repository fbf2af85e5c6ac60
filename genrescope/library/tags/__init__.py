"""Tags: read as files have them, planned, written without harm, undone."""
