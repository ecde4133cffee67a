"""Keras networks as graphs: their layers, inputs and outputs, and rebuilding them."""
