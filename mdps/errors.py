"""Exceptions of the model classes."""


class InvalidModelError(ValueError):
    """A model violates its definition; the message names the first offending entry."""


class InvalidPolicyError(ValueError):
    """A policy does not fit its model; the message names the first offending entry."""
