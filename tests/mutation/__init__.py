"""Mutants of models and sequences of resizes, the delegate against the stock kernels; `run.py` runs them."""
