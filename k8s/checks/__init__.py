"""Checks of k8s/ that need no cluster.

Each module has one `check(deployment) -> list of problems`, over the rendered objects of one
deployment; an empty list is what is wanted. `mistakes` proves that each notices what it should.
"""
