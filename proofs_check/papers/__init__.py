"""The checks, one module for each paper or family of lemmas."""
