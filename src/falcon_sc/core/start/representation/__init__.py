"""The cells of one coarse class as scores on axes of their own, in several normalizations."""
