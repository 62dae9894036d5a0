"""Physical boards: flashing, reading, current traces, and the file of measurements."""
