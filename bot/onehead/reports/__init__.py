"""How a verdict reads: text, JSON, SARIF, JUnit, Markdown and pictures. Values in, text out."""
