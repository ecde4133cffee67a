"""From a Keras network to the bytes of a TFLite file."""
