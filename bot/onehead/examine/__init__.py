"""One examination. What can't be read raises an `OneheadError` that says what to do about it."""
