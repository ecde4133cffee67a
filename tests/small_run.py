"""The configuration of a run of a tiny network."""

CONFIG = {
    "settings": {},
    "num_classes": 1,
    "class_names": ["cat", "dog"],
    "input_shape": [2],
    "normalization": {"mean": [0.5, 0.5], "std": [0.25, 0.25]},
}
