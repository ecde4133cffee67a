"""`make bench`: training, input pipelines, conversion and exported networks beside others."""

import os

from experiments.quiet import quiet_standard_error

# As the command line has it; the processes that the parts start inherit it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with quiet_standard_error():
    # Selects the Keras that Larq needs, before TensorFlow is loaded.
    import recu_tf  # noqa: F401
