"""How far weights are from their signs, times the best scale, after ReCU's clamp."""

import numpy as np

__all__ = ["compute_laplace_error", "sample_laplace_error"]

SAMPLED = 1_000_000


def compute_laplace_error(tau: float | np.ndarray, scale: float = 1.0) -> np.ndarray:
    r"""The quantisation error of clamped Laplace weights, in closed form.

    \[ b^2 \left[ 1 - 4 (1 - \tau)^2 + 4 (1 - \tau) \ln(2 - 2\tau) \right] \]

    is the mean of \((w - \alpha\,\mathrm{sign}(w))^2\) with the best \(\alpha\), the mean of
    \(|w|\), for weights of a Laplace distribution with scale \(b\) that were clamped at its
    quantile \(\tau\). The closed form printed in the paper of ReCU
    (https://arxiv.org/abs/2103.12369) has a slip in a sign; this one follows from the distribution.

    Args:
        tau: temperature in (0.5, 1].
        scale: b, above 0.

    Returns:
        The error, float64, of the shape of `tau`.

    Raises:
        ValueError: a temperature lies outside (0.5, 1].
    """
    tau = np.asarray(tau, np.float64)
    if not np.all((tau > 0.5) & (tau <= 1)):
        raise ValueError(f"`tau` must lie in (0.5, 1], got {tau}.")
    dead = 2 - 2 * tau
    # Its limit is 0 where no weight is dead.
    logarithm = np.log(np.where(dead > 0, dead, 1))
    return scale**2 * (1 - dead**2 + 2 * dead * logarithm)


def sample_laplace_error(tau: float, scale: float = 1.0) -> float:
    """The same error, measured on a million weights that are drawn at random.

    Args:
        tau: temperature in (0.5, 1).
        scale: of the Laplace distribution, above 0.
    """
    weights = np.random.default_rng(0).laplace(0, scale, SAMPLED)
    limit = -scale * np.log(2 - 2 * tau)
    magnitudes = np.minimum(np.abs(weights), limit)
    return float(np.mean((magnitudes - magnitudes.mean()) ** 2))
