"""Models: an immutable graph, the reader of ``.tflite`` files and a builder of them."""
