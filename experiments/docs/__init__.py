"""The documentation as a site: what MkDocs is told beyond `mkdocs.yml`, and the figures' script."""
