"""Everything that needs PyTorch: training the two encoders and exporting them to ONNX. Serving never imports this."""
