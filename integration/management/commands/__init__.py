"""One module a command, under the name it is called by."""
