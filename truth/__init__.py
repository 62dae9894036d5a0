"""What upstream TFLM takes for models that the project generates, measured on emulated cores."""
