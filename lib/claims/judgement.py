"""Judge everything in a profile's results, and return one record."""

from lib.claims import beside_post, experiments, head_to_head, post, post_claims
from lib.core import paths, records
from lib.core.errors import UserError
from lib.core.records import Judgement, PostText


def of_profile(profile: str, post_texts: list[PostText] | None = None) -> Judgement:
    """Judge the results of a profile.

    Args:
        profile: The folder of `outputs/`.
        post_texts: The measured texts of the post; those of the summary's results by default.

    Raises:
        UserError: If an experiment or the summary has not been run, or its results cannot be read.
    """
    found, figures = experiments.load(profile), post.blog_post()
    if post_texts is None:
        post_texts = _summary(profile).measured.post_texts
    return Judgement(
        profile=profile,
        claims=post_claims.judge(found, figures, post_texts),
        beside_post=beside_post.rows(found, figures),
        from_scratch=head_to_head.contests(found.scratch.measured),
    )


def _summary(profile: str) -> records.Results:
    try:
        return records.load(paths.of_profile(profile) / "00_summary" / "results.json")
    except FileNotFoundError:
        raise UserError(
            f"profile is {profile!r}, and its summary has not been run. Run `make all PROFILE={profile}` first."
        ) from None
