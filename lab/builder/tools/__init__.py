"""What runs on the build machine, with nothing but Python's standard library and PyYAML of 3.10 and newer."""
