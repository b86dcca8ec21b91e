"""Do it later, and never twice at once."""
