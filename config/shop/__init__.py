"""What it takes to fill a shop, and nothing that runs it: the goods of the demo shop (`catalogue`) and a
reader that turns a real shop's sales export into goods and sales (`sales_export`). Both are plain data;
whoever puts them into the contexts does so through the contexts' own commands.
"""
