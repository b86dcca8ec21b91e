"""The bot: what happens on a webhook, on a sweep, and on a command."""
