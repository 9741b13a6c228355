"""Explainable lead scoring: signed points per fact, summed into a score and a probability."""
