"""A checkpoint in, a verified ONNX bundle out. Needs the extra ``export`` (torch, onnx)."""
