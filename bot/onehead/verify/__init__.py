"""Run a project's migrations on scratch databases. No other room runs code of the project, and no service does."""
