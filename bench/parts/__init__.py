"""What `python -m bench` measures, a file for each part or what two of them share."""
