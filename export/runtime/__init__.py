"""What runs an exported file without TensorFlow, on whatever machine it is brought to."""
