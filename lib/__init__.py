"""Helpers behind the notebooks of the GPT-2 text generation report."""
