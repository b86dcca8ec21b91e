"""What databases hold and would do: state tables, diagnoses, live databases, and logs of crashes."""
