"""Workers in the jobs of a batch system, as many as wanted as long as a run goes on.

Everything that differs from one batch system to the next is in its `BatchSystem`; those that
there are stand in `systems`, each with a folder of its own.
"""
