"""The search for a training that needs fewer epochs; see README.md beside this file."""

import recu_tf  # noqa: F401  before TensorFlow, for legacy Keras
