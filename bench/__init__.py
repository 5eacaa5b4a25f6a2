"""The speed bench: compares this project with the blog post's own lines and with Hugging Face transformers.

`make bench` runs `python -m bench`. Each side runs in its own process and warms up first. The sides then take turns,
A B B A, so that a machine that slows down affects all of them. A row gives the median of the ratios of all rounds.
"""
