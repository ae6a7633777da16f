"""Secrets: how they are stored, handed to a job, masked, and shown."""
