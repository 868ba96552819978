"""A checkpoint in, a verified ONNX bundle, or C source, out. Needs the extra ``export`` (torch, onnx)."""
