"""What operators compute: values, shapes and control flow."""
