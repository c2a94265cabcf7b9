"""Figures of runs for tools that show and compare them: TensorBoard, Weights & Biases, MLflow."""
