"""The same model in less arena: problem, solvers, and the files that carry the plan."""
