"""The verifier's benchmark in parts: corpora, graders and their timing, tables, pool, plot."""
