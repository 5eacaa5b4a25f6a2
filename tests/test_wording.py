import re
import string

import pytest

from lib import wording

NAMES = sorted(wording._templates())


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_the_same_values_in_every_language(name):
    templates = wording._templates()[name]
    assert tuple(templates) == wording.LANGUAGES
    fields = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in templates.values()]
    assert fields[0] == fields[1]
    assert re.search("[\u4e00-\u9fff]", templates["zh"])


def test_a_missing_value_is_an_error_and_no_half_sentence():
    with pytest.raises(KeyError):
        wording.say("no such entry")
    assert wording.both("index_title")["en"] == "GPT-2 text generation with KerasNLP"
