"""How a job ended and why: what it left behind, judged and put into words."""
