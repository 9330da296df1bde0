"""The models of the repository behind one port: Triton, or ONNX Runtime in process."""
