import made_records
import pytest

from lib.core import paths, yaml_files
from lib.evaluation import post_texts


def test_the_post_s_own_texts_are_judged():
    post = yaml_files.read(paths.EXPERIMENTS / "blog_post.yaml")
    greedy, chinese, poem = post_texts.judge(post)
    assert [text.name for text in (greedy, chinese, poem)] == ["greedy", "chinese", "poem"]
    assert (greedy.has_a_loop, chinese.has_a_loop, poem.has_a_loop) == (True, True, False)
    assert greedy.ends_in_a_loop and not chinese.ends_in_a_loop and greedy.rep_4_percent > 60
    assert (greedy.well_formed, greedy.rhymes, greedy.rhyme_pairs, greedy.alternating) == (None, None, None, None)
    assert chinese.rep_4_percent > 40
    assert poem.well_formed is True
    assert (poem.rhymes, poem.rhyme_pairs) == (0, 1)  # 沙 and 沙
    assert 0 <= poem.alternating <= poem.tone_pairs <= 8  # two pairs in each of four lines
    assert poem.tone_pairs > 0
    assert not poem.ends_in_a_loop


def test_published_figures_stand_beside_the_groups_that_come_nearest():
    groups = [
        made_records.text_group("greedy", 4, 4, loop_holtzman=75.0, self_bleu_4=0.4),
        made_records.text_group(
            "top_k (k=40)", 1, 4, loop_holtzman=25.0, self_bleu_4=None
        ),  # of a single text there is none
        made_records.text_group("a sampler that they did not try"),
        made_records.text_group("people"),
    ]
    rows = {row.here: row for row in post_texts.published(groups)}
    assert list(rows) == ["people", "greedy", "top_k (k=40)"]  # in their order
    greedy = rows["greedy"]
    assert (greedy.method, greedy.loops_percent_published, greedy.loops_percent_here) == ("greedy", 73.66, 75)
    assert (greedy.self_bleu_4_published, greedy.self_bleu_4_here) == (0.5, pytest.approx(0.4))
    assert rows["people"].self_bleu_4_published == 0.31 and rows["people"].loops_percent_here == 0
    assert rows["top_k (k=40)"].loops_percent_here == 25 and rows["top_k (k=40)"].self_bleu_4_here is None


def test_without_such_groups_nothing_stands_beside_the_published_figures():
    assert post_texts.published([made_records.text_group("contrastive")]) == []
