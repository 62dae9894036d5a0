"""The result of a prediction and the forms in which it is shown."""
