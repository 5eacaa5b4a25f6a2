"""Run a notebook over a grid of parameters and training seeds, with Snakemake, and gather what the runs measured."""
