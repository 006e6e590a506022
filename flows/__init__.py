"""Prefect flows around the pipeline, and the command line `pagewash`."""
