"""The commands that need more than one context, and so belong to none."""
