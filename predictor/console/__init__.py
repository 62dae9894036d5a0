"""What command lines share: options, paths, output, how they run and end."""
