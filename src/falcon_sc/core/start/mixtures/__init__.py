"""Mixtures with one shared covariance: Gaussian and Student, started from K-Means or merged down from more components."""
