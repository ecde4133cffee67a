"""Data sets that fit into memory."""
