"""Talk to Forgejo: endpoints, what the bot wants of them, webhook deliveries, and text fit for comments.

Knows nothing of migrations. May import `onehead.errors`, httpx and the standard library only.
"""
