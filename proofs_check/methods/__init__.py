"""Ways of checking a statement, one module each."""
