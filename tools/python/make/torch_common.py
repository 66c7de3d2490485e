"""How every PyTorch reference is computed: one thread, deterministic algorithms."""

import onnxruntime
import onnxscript
import torch
import torchvision

from gneiss_ref import case


def settle():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mha.set_fastpath_enabled(False)  # the fused kernel has no exporter
    torch.set_grad_enabled(True)


def versions():
    found = case.versions(torch, torchvision, onnxruntime, onnxscript)
    found["cpu_capability"] = torch.backends.cpu.get_cpu_capability()
    return found
