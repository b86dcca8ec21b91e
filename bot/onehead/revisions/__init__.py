"""What the files say. Pure: bytes in, values out; imports no alembic, no git, no network."""
