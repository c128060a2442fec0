"""Proves a deployment on a real cluster: see `k8s/rehearse`."""
