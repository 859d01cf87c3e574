"""Compiled kernels: CityLearn's physics re-expressed for numba, scalar by scalar.

CityLearn mixes Python floats, 32-bit and 64-bit numpy numbers, and numpy's promotion rules (NEP 50) decide how each
operation rounds. The kernels name every rounding (``single``), so that their results are equal to CityLearn's bit for bit.
"""
