"""The bench: how fast this project is beside the blog post's own lines and beside Hugging Face transformers.

`make bench` runs `python -m bench`. Every side works in a process of its own, warmed up, and is asked in turn, A B A B,
so that a machine that gets slower slows both; what is told are medians of the ratios within each round.
"""
