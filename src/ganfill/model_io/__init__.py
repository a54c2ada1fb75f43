"""Reading and writing models: model files, model cards, ONNX and the Hugging Face Hub."""
