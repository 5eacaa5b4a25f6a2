import re
import string

import pytest

from lib.report import site, wording

NAMES = sorted(wording._templates())


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_the_same_values_in_every_language(name):
    templates = wording._templates()[name]
    assert tuple(templates) == wording.LANGUAGES
    fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in templates.values()]
    assert fields[0] == fields[1]
    words = re.sub("{[^}]*}", "", templates["zh"])
    assert not words or re.search("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]", words)


def test_a_missing_value_is_an_error_and_no_half_sentence():
    with pytest.raises(KeyError):
        wording.say("no such entry")
    assert wording.both("index_title")["en"] == "GPT-2 text generation with KerasNLP"


def test_a_value_may_differ_by_language():
    told = wording.both("machine", where="CPU", backend=wording.both("none"))
    assert told == {"en": "CPU, Keras on none", "zh": "CPU，Keras 后端为 没有"}
    assert wording.each(lambda number, language: f"{language} {number}", 1) == {"en": "en 1", "zh": "zh 1"}


def test_stand_ins_are_told_once_each():
    told = ["a in place of b", "c in place of d", "a in place of b", "something else"]
    assert wording.stand_ins(told) == "a in place of b; c in place of d; something else"
    assert wording.stand_ins(told, "zh") == "以 a 代替 b；以 c 代替 d；something else"
    assert wording.stand_ins([]) == ""


def test_the_titles_are_those_of_the_notebooks():
    for name in NAMES:
        if name.startswith("title_"):
            assert wording.say(name) == site.title(name.removeprefix("title_"))
