"""The trained networks that come with `recu_tf`: packing them, and photographs to show them on."""

import recu_tf  # noqa: F401  before TensorFlow, for legacy Keras
