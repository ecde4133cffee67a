"""`make bench`: training, input pipelines, conversion and exported networks beside others."""

from experiments.tensorflow_start import load_tensorflow

load_tensorflow()  # the processes that the parts start inherit its variables
