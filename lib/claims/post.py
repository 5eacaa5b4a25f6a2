"""Read what the blog post reports, from `experiments/blog_post.yaml`."""

from lib.core import paths, yaml_files


def blog_post() -> dict:
    """Return the blog post's figures and texts."""
    return yaml_files.read(paths.EXPERIMENTS / "blog_post.yaml")


def speed_up(post: dict) -> float:
    """Return the speed-up of the post's call after fine-tuning over its first call, as a factor."""
    return post["baseline"]["seconds"] / post["reddit"]["seconds_after"]
