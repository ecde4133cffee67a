"""Quantizes the layers of a binary network that are not binary to int8."""
