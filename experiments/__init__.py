"""The command line `recu`, the demonstration and the benchmarks."""
