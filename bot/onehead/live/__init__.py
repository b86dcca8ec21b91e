"""Look at a live database, and change nothing. The only room with SQLAlchemy."""
