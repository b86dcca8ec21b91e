"""onehead keeps every deployable branch of an Alembic project at one head."""
