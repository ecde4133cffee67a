"""Measurements, each a module to run: `python -m experiments.benchmarks.NAME`."""
