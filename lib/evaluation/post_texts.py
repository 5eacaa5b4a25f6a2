"""Measure the texts that the post prints, and compare published figures with those measured here."""

from lib.core import paths, yaml_files
from lib.core.records import PostText, PublishedRow, TextGroup
from lib.evaluation import metrics, poem_form


def judge(post: dict) -> list[PostText]:
    """Measure the texts that the post prints in the same way as the generated texts.

    Args:
        post: The content of `experiments/blog_post.yaml`.
    """
    judged = []
    for name, text in post["texts"].items():
        told = metrics.repetition(text)
        form = {}
        if name == "poem":
            (poem,) = poem_form.judge([text]).to_dict("records")
            form = {key: poem[key] for key in ("well_formed", "rhymes", "rhyme_pairs", "alternating", "tone_pairs")}
        judged.append(
            PostText(
                name=name,
                rep_4_percent=told["rep_4"],
                has_a_loop=told["loop_times"] > 0,
                ends_in_a_loop=metrics.holtzman_repetition(metrics.word_tokens(text)),
                **form,
            )
        )
    return judged


def published(groups: list[TextGroup]) -> list[PublishedRow]:
    """Compare repetition and self-BLEU of Holtzman et al. with the groups closest to theirs.

    Returns:
        A row for each of their methods that has a matching group.
    """
    here = {group.label: group for group in groups}
    return [
        PublishedRow(
            method=row["method"],
            here=row["here"],
            loops_percent_published=row["repetition"],
            loops_percent_here=here[row["here"]].metrics["loop_holtzman"].value,
            self_bleu_4_published=row["self_bleu_4"],
            self_bleu_4_here=here[row["here"]].metrics["self_bleu_4"].value,
        )
        for row in yaml_files.read(paths.EXPERIMENTS / "published.yaml")["holtzman"]["rows"]
        if row["here"] in here
    ]
