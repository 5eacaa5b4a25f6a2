import pytest

from lib.data import poem_cleaning
from lib.evaluation import prosody

SPRING = "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。"


@pytest.mark.parametrize(
    ("paragraphs", "cleaned"),
    [
        (
            ["梧桐三寸葉，楊柳一尋枝。", "（見《天寶遺事》。", "）。"],
            "梧桐三寸葉，楊柳一尋枝。",
        ),  # a note with its full stop
        (["梧桐三寸葉，楊柳一尋枝。（《詩話》）。"], "梧桐三寸葉，楊柳一尋枝。"),
        (["（按：此詩又見《詩話》。", "）。", "梧桐三寸葉，楊柳一尋枝。"], "梧桐三寸葉，楊柳一尋枝。"),
        (["梧桐三寸（一作「尺」）葉，楊柳一尋枝（原作「知」）。"], "梧桐三寸葉，楊柳一尋枝。"),
        (["梧桐三寸葉，（原作「梧（桐）」。）楊柳一尋枝。"], "梧桐三寸葉，楊柳一尋枝。"),  # a note within a note
        (["梧桐三寸葉[一]，楊柳一尋枝。[十二]"], "梧桐三寸葉，楊柳一尋枝。"),
        (["梧桐三寸[葉]，「楊柳一尋枝？」。"], "梧桐三寸葉，楊柳一尋枝？"),
    ],
)
def test_notes_go_with_their_full_stops_and_every_mark_keeps_its_clause(paragraphs, cleaned):
    assert poem_cleaning.clean(paragraphs) == (cleaned, "")


@pytest.mark.parametrize(
    ("paragraphs", "reason"),
    [
        ([], "no text"),
        (["（見《詩話》）。"], "no text"),
        (["梧桐□寸葉，楊柳一尋枝。"], "lost text, as the editors note"),
        (["梧桐三寸葉，楊柳（下缺）。"], "lost text, as the editors note"),
        (["梧桐三寸，（此句缺一字）楊柳一尋枝。"], "lost text, as the editors note"),
        (["梧桐{三寸}葉，楊柳一尋枝。"], "stray characters"),
        (["梧桐三寸葉，楊柳一尋枝。（見《詩話》。"], "stray characters"),  # a note without an end
        (["梧桐三寸葉，楊柳一尋枝"], "a mark is missing"),
        (["春眠不覺曉，處處聞啼鳥。", "夜來風雨聲花落知多少。"], "a mark is missing"),  # two clauses run together
        (["春眠不覺曉，處處聞啼鳥。", "夜來風雨聲。"], "half a couplet is missing"),
        (["徐源字太初，高平人。", "詩一首。"], "editors' words"),
        (["金谷千年更不春，見太平廣記卷四八九引。"], "editors' words"),
        (["背燈唯暗泣甚處砧聲急眉黛遠山攢芭蕉生暮，寒。"], "a mark is missing"),
    ],
)
def test_what_is_not_whole_is_told_with_the_reason(paragraphs, reason):
    assert poem_cleaning.clean(paragraphs)[1] == reason
    assert reason in poem_cleaning.REASONS


@pytest.mark.parametrize(
    "paragraphs",
    [
        ["春眠不覺曉，處處聞啼鳥。", "夜來風雨聲，花落知多少。"],
        ["胡爲乎泥中。", "式微式微，胡不歸。"],  # lines of other lengths
        ["天風吹我上高臺，臺上無人花自開，故國不堪回。"],  # three lines
        ["楓落吳江冷。"],  # all that is left of a poem, but whole as far as it goes
        ["此別（名缺）無緣見，何時更此遊。"],  # a note on something else
        ["背燈唯暗泣甚處砧聲急眉黛遠山攢芭蕉，生暮寒。"],  # as long as a clause may be
    ],
)
def test_what_is_whole_is_kept_in_whatever_form(paragraphs):
    assert poem_cleaning.clean(paragraphs)[1] == ""


def test_a_regular_poem_has_its_marks_in_their_places():
    assert poem_cleaning.is_regular(SPRING, 5) and not poem_cleaning.is_regular(SPRING, 7)
    assert poem_cleaning.is_regular(SPRING.replace("鳥。", "鳥？"), 5)
    assert not poem_cleaning.is_regular(SPRING.replace("鳥。", "鳥，"), 5)
    assert not poem_cleaning.is_regular(SPRING.replace("曉，", "曉。"), 5)
    assert not poem_cleaning.is_regular(SPRING[:-1], 5)
    assert prosody.is_well_formed(SPRING)
