"""What the blog post reports, from `experiments/blog_post.yaml`."""

from lib.core import paths, yaml_files


def blog_post() -> dict:
    """The blog post's figures and texts."""
    return yaml_files.read(paths.EXPERIMENTS / "blog_post.yaml")


def speed_up(post: dict) -> float:
    """How many times as fast as its first call the post's call after fine-tuning was."""
    return post["baseline"]["seconds"] / post["reddit"]["seconds_after"]
