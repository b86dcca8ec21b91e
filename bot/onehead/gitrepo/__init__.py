"""Read and write git.

Every call raises an `OneheadError` where there is no repository, a SHA is unknown, objects are missing or time is over.
What else it raises is said beside it.
"""
