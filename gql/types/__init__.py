"""The object types of the schema, one file for each noun."""
