"""What migration files declare. Pure: bytes in, values out; imports no alembic, no git, no network."""
