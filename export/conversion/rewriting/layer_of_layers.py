"""The base of layers that are made of other layers, which it saves and loads with them."""

import tensorflow as tf

__all__ = ["LayerOfLayers"]


class LayerOfLayers(tf.keras.layers.Layer):
    """A layer whose constructor takes other layers and keeps each under the argument's name.

    Attributes:
        inner: the names of these arguments.
    """

    inner: tuple[str, ...] = ()

    def get_config(self) -> dict:
        """The constructor's arguments."""
        layers = {name: tf.keras.layers.serialize(getattr(self, name)) for name in self.inner}
        return {**super().get_config(), **layers}

    @classmethod
    def from_config(cls, config: dict) -> "LayerOfLayers":
        """The layer of a configuration."""
        layers = {name: tf.keras.layers.deserialize(config[name]) for name in cls.inner}
        return cls(**{**config, **layers})
