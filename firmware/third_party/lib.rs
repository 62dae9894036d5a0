// Empty: a cargo manifest must have a target.
