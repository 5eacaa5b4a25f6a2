from collections import Counter

import made_records
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from lib.claims import post, post_claims
from lib.core.records import ClaimKind, Judgement, Verdict
from lib.report import picture, wording, words

CLAIMS = post_claims.judge(made_records.experiments(), post.blog_post(), made_records.post_texts())
TESTABLE = [claim for claim in CLAIMS if claim.kind is not ClaimKind.OPINION]


def draw(verdicts=(Verdict.HOLDS,), language="en", **changes):
    claims = [TESTABLE[0].model_copy(update={"verdict": verdict}) for verdict in verdicts]
    opinions = [claim for claim in CLAIMS if claim.kind is ClaimKind.OPINION]
    judged = Judgement(profile="cpu", claims=[*claims, *opinions], beside_post=[], from_scratch=[])
    return picture.draw(judged, made_records.samplers(**changes), language)


def squares(figure):
    """How many squares there are of each colour."""
    return Counter(to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches if type(patch) is Rectangle)


def test_every_verdict_but_that_on_opinions_has_a_colour_and_a_sign():
    assert set(picture.MARKS) == set(Verdict) - {Verdict.NOT_JUDGED}
    assert len({sign for _, sign in picture.MARKS.values()}) == len(picture.MARKS)


def test_there_is_a_square_for_every_claim_and_every_text():
    groups = {name: made_records.text_group(name, loops, 10) for name, loops in (("greedy", 7), ("top_k", 2))}
    figure, alt = draw(
        [Verdict.HOLDS] * 3 + [Verdict.UNDECIDED], people=made_records.text_group("people", 0, 10), **groups
    )
    assert squares(figure) == {
        to_hex(picture.BLUE): 3,
        to_hex(picture.MARKS[Verdict.UNDECIDED][0]): 1,
        to_hex(picture.RED): 9,
        to_hex("white"): 21,
    }
    assert "holds 3" in alt and "undecided 1" in alt and "does not hold" not in alt
    assert "greedy 7 of 10" in alt and "top-k 2 of 10" in alt and "people 0 of 10" in alt


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.filterwarnings("ignore:Glyph")  # the reader has a font for Chinese
@pytest.mark.parametrize(("verdicts", "texts"), [((Verdict.HOLDS,) * 7, 4), (tuple(picture.MARKS), 200)])
def test_all_of_it_lies_on_the_card_and_the_verdicts_are_told_in_words(language, verdicts, texts):
    groups = {name: made_records.text_group(name, texts, texts) for name in ("greedy", "top_k", "people")}
    figure, alt = draw(verdicts, language, **groups)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [one.get_window_extent(canvas.get_renderer()) for one in figure.findobj(Text) if one.get_text()]
    boxes += [patch.get_window_extent() for patch in figure.axes[0].patches]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1 for box in boxes)
    written = [one.get_text() for one in figure.findobj(Text)]
    for verdict in verdicts:
        assert words.verdict(verdict, language) in written and words.verdict(verdict, language) in alt


def test_a_line_without_figures_is_left_out():
    measured = made_records.samplers()
    for estimate in measured.self_reinforcement.people.probability:
        estimate.value = None
    figure, alt = draw(self_reinforcement=measured.self_reinforcement)
    assert len(figure.axes[1].lines) == 1
    assert "a sentence, repeated from" in alt and "a story" not in alt


def test_text_in_the_picture_is_large_enough_for_a_phone():
    figure, _ = draw()
    on_a_phone = 358 / (picture.WIDTH * 96 / 72)  # pixels of a phone for one of the picture's
    smallest = min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text())
    assert smallest * 96 / 72 * on_a_phone >= 11
