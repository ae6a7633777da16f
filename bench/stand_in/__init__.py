"""Cheap programs in the place of real ones, so that only the rest is measured."""
