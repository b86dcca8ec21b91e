"""Reports: values in; text, JSON, SARIF, JUnit, Markdown and pictures out."""
