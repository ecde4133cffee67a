"""Latency, memory and comparisons of TFLite files on this machine."""
