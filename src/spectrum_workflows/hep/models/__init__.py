"""Trained models as values of a selection: ONNX by onnxruntime, trees by XGBoost."""
