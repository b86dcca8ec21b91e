"""Talk to Forgejo: endpoints, idempotent writes, webhook deliveries.

This room knows nothing of migrations. Its files import `onehead.errors`, `onehead.text`, httpx and the standard
library.
"""
