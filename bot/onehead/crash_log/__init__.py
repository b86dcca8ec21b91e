"""What the log of a deploy says: text in, complaints of Alembic and of databases out. Pure."""
