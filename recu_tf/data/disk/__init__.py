"""Images that stay on disk until a step needs them."""
