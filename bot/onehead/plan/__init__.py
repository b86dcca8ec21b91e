"""What should happen. Pure: facts and policy in, findings and a plan out."""
