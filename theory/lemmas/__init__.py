"""Statements that several papers rest on, one module a family."""
