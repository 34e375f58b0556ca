"""What it takes to fill a shop and let it trade for show: its goods (`catalogue`), a reader that turns a real shop's
sales export into goods and sales (`sales_export`), and what puts them into the contexts, through the contexts' own
commands and never past them.
"""
