"""Espressif's kernels in the place of TFLM's reference ones. Mirrors micro/kernels/esp_nn of
esp-tflite-micro and the functions ``esp_nn_get_*_scratch_size`` of ESP-NN: the generic ones (ESP32,
ESP32-C3), those for the ESP32-S3 and those for the ESP32-P4."""
