"""Talk to Forgejo: endpoints, idempotent writes, webhook deliveries. This room knows nothing of migrations."""
