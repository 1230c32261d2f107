"""The worlds: validated models, named instances, strategies and simulation kernels."""
