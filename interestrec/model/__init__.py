"""Networks: encoders, the two towers, the head, the losses. TensorFlow starts at this floor."""
