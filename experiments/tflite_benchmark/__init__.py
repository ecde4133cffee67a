"""What `recu benchmark` measures: latency and memory of TFLite files and of networks."""
