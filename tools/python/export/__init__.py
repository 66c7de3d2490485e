"""One function an exporter: a model in, model.onnx out."""
