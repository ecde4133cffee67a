"""The folder that an export writes: its contents and its page."""
