"""Programs for people: a cluster to play with, and the pictures of the README."""
