"""What runs in a process of its own, with the standard library alone; some of it also imports a job's ansible."""
