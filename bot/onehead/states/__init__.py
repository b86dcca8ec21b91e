"""What databases would do. The only room that imports Alembic."""
