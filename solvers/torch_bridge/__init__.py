"""Neural policies of the papers, in PyTorch: a thin layer behind the extra ``torch``.

Nothing outside this package imports it. Parameters, trajectories and results are numpy arrays in float64; PyTorch
differentiates and nothing else. Certificates are computed elsewhere, from exported weights.
"""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError("solvers.torch_bridge needs PyTorch: pip install 'boundcheck[torch]'") from error
