"""One examination: read trees, judge, plan, write the repair. What every entry point shares."""
