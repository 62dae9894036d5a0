"""HTML forms of results: the report page, pictures of memory plans, the notebook form."""
