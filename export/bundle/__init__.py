"""The folder that an export writes: what lies in it, and its page."""
