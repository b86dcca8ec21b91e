"""What happens when: one readable story per event."""
