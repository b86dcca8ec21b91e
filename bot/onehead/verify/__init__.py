"""Really run a project's migrations on scratch databases. The only room that runs a project's code; no service does."""
