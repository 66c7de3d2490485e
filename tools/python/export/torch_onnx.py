"""The two exporters of PyTorch."""

import re
import warnings

import onnx
import torch


def dynamo(model, args, path, input_name, output_name, dynamic=True, external=False):
    """Exports through torch.export, PyTorch's default since 2.9, at its default opset."""
    shapes = ({0: torch.export.Dim("N")},) if dynamic else None
    torch.onnx.export(
        model, args, str(path), dynamo=True, input_names=[input_name], output_names=[output_name],
        dynamic_shapes=shapes, external_data=external, verbose=False,
    )
    forget_folders(path)


def forget_folders(path):
    """Cuts the folders of this machine out of the stack traces that the exporter writes as metadata."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        for entry in node.metadata_props:
            entry.value = re.sub(r'File "[^"]*/', 'File "', entry.value)
    path.write_bytes(model.SerializeToString())


def script(model, args, path, input_name, output_name, dynamic=True, opset=17, fold=True):
    """Exports through TorchScript."""
    axes = {input_name: {0: "N"}, output_name: {0: "N"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, args, str(path), dynamo=False, input_names=[input_name], output_names=[output_name],
            dynamic_axes=axes, opset_version=opset, do_constant_folding=fold,
        )
