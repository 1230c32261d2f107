"""Neural policies of the papers, in PyTorch: a thin layer behind the extra ``torch``.

Nothing outside this package imports it. Parameters, trajectories and results are numpy arrays in float64; PyTorch
differentiates and nothing else. Certificates are computed elsewhere, from exported weights.
"""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ImportError("solvers.torch_bridge needs PyTorch: pip install 'boundcheck[torch]'")
