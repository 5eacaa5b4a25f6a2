"""Read what the blog post reports, and how its claims are judged, from `experiments/`."""

from lib.core import paths, yaml_files


def blog_post() -> dict:
    """Return the blog post's figures, texts and words."""
    return yaml_files.read(paths.EXPERIMENTS / "blog_post.yaml")


def rules() -> dict[str, dict]:
    """Return how each claim is judged, by its name, as it was written down before the run."""
    return yaml_files.read(paths.EXPERIMENTS / "claims.yaml")


def speed_up(post: dict) -> float:
    """Return the speed-up of the post's call after fine-tuning over its first call, as a factor."""
    return post["baseline"]["seconds"] / post["reddit"]["seconds_after"]


def words_of_calls(post: dict) -> tuple[int, int]:
    """Return how many words the post prints of its calls before and after fine-tuning, with the prompt."""
    before, after = (len(post["timed_texts"][when].split()) for when in ("before", "after"))
    return before, after
