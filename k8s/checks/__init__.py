"""Checks of k8s/ that need no cluster.

Each module has one `check(deployment)`, which reads the rendered objects of one deployment and returns a list of problems.
`mistakes` plants a mistake for each check and tests that the check notices it.
"""
