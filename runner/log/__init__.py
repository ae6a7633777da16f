"""A job's log, from its file into the table, and in memory for those who follow it."""
