"""Look at a live database, and change nothing."""
