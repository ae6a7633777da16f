"""The events of a job, from its plugin's file into the table."""
