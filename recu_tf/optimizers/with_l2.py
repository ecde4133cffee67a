"""What the optimizers share: L2 in the gradient, the learning rate and the configuration."""

from collections.abc import Iterable

import tensorflow as tf

__all__ = ["WithL2"]


class WithL2(tf.keras.optimizers.Optimizer):
    """The learning rate, L2 in the gradient and the configuration, which all of them share.

    A subclass sets its slots and hyperparameters and implements `_step`.
    """

    slots: tuple[str, ...] = ()
    hyperparameters: tuple[str, ...] = ("l2",)

    def __init__(self, learning_rate: float, name: str, **kwargs):
        super().__init__(name=name, **kwargs)
        self._without_l2 = set()
        self._learning_rate = self._build_learning_rate(learning_rate)

    def build(self, var_list):
        """Creates the slots of each variable, initially 0."""
        super().build(var_list)
        if getattr(self, "_built", False):
            return
        self._slots = {
            slot: [self.add_variable_from_reference(v, slot) for v in var_list]
            for slot in self.slots
        }
        self._built = True

    def exclude_from_l2(self, variables: Iterable[tf.Variable]) -> None:
        """Excludes variables from L2; must be called before the first step.

        Args:
            variables: of the model; variables of earlier calls stay excluded.
        """
        self._without_l2 |= {self._var_key(variable) for variable in variables}

    def update_step(self, gradient, variable):
        """Updates a variable; called by Keras with the gradient summed over replicas."""
        if isinstance(gradient, tf.IndexedSlices):
            gradient = tf.convert_to_tensor(gradient)
        rate = tf.cast(self.learning_rate, variable.dtype)
        index = self._index_dict[self._var_key(variable)]
        slots = [self._slots[slot][index] for slot in self.slots]
        if self.l2 and self._var_key(variable) not in self._without_l2:
            gradient += self.l2 * variable
        self._step(gradient, variable, rate, *slots)

    def get_config(self) -> dict:
        """The constructor's arguments, with the current learning rate."""
        return {
            **super().get_config(),
            "learning_rate": self._serialize_hyperparameter(self._learning_rate),
            **{name: getattr(self, name) for name in self.hyperparameters},
        }
