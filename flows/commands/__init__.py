"""The commands of the command line whose options bring more than it needs itself."""
