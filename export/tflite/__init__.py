"""TFLite files: reading them, and running them."""
