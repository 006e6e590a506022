"""Runs as Prefect flows: tasks, schedules, events."""
