"""What people may ask for in comments: values and their grammar, without any effect."""
