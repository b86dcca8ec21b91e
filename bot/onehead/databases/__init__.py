"""What databases hold and what an upgrade does to them: state tables, diagnoses, live databases, logs of crashes."""
