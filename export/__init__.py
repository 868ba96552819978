"""Export a checkpoint as a verified ONNX bundle or as C source. Needs the extra ``export`` (torch, onnx)."""
