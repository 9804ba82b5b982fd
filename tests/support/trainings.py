"""A training that is short: one pass, looked at twice, two coefficients to choose from."""

from training.configuration import profile

SHORT = profile("bundled", epochs=1, checkpoints=2, coefficients=(0.5, 1.0))
"""What the trained workspace was made by."""

RETRAIN = ("retrain", "--epochs", "1", "--set", "checkpoints=2", "--set", "coefficients=[0.5, 1.0]")
"""The same, as a command."""
