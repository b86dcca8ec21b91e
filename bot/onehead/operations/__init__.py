"""What a revision does: source bytes → typed operations → what two sides of a fork do to each other."""
