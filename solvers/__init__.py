"""The algorithms: exact planning, the algorithms of the papers, and the baselines they are compared with."""
