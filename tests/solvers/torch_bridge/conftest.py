"""Tensors of these tests are tiny: a second thread only waits."""

import contextlib

with contextlib.suppress(ImportError):
    import torch

    torch.set_num_threads(1)
