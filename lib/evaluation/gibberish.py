"""Measure how far texts are from what people write: loops, broken bytes, words that people use, and the script.

Letters are the letters of all scripts, Chinese characters among them. Punctuation, digits and spaces are no letters.
"""

import codecs
import functools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import opencc
import pandas as pd
import wordfreq

from lib.core import chinese
from lib.core.records import AnswerLanguage, Estimate, Quality, Script, TextQuality, TextShares, WordList
from lib.evaluation import metrics, statistics
from lib.models import byte_level

LIST = "small"  # the words that occur once in a million or more: in `large`, nearly any two characters are a word
PER_MILLION = {"small": 1.0, "large": 0.01}  # the least frequency of a word in each of wordfreq's lists
SHARES = ("words", "looped", "broken_bytes", "prompt_script")
ONE_LETTER_WORDS = ("a", "i")
RUN = 5  # the least number of the same character in a row that is a loop; people write "..." and "####"
_HAN = re.compile(f"[{chinese.HAN}]+")
_APOSTROPHES = re.compile("['’]")


@functools.cache
def listed(language: str, name: str = LIST) -> frozenset[str]:
    """Return the words of a list of wordfreq.

    Source: Speer, wordfreq 3.1.1, 2022, built from Wikipedia, subtitles, news, books, web pages and social networks.

    Args:
        language: `"zh"`, of which words of two or more Chinese characters are taken, in simplified characters; or
            `"en"`, of which words of two or more Latin letters are taken, and "a" and "I".
        name: `"small"` or `"large"`, see `PER_MILLION`.
    """
    words = wordfreq.get_frequency_dict(language, wordlist=name)
    if language == "zh":
        return frozenset(word for word in words if len(word) > 1 and _HAN.fullmatch(word))
    return frozenset(
        word
        for word in words
        if all(script(one) is Script.LATIN for one in _APOSTROPHES.sub("", word))
        and (len(word) > 1 or word in ONE_LETTER_WORDS)
    )


def script(character: str) -> Script | None:
    """Return the script of a letter; None for what is no letter."""
    if _HAN.match(character):
        return Script.HAN
    if not character.isalpha():
        return None
    return Script.LATIN if "LATIN" in unicodedata.name(character, "") else Script.OTHER


def characters_in_words(run: str, name: str = LIST) -> int:
    """Count the characters of a run of Chinese ones that can be covered by listed words of two or more characters.

    Traditional characters are converted to simplified ones (OpenCC's `t2s`), since the list has those. Of all ways to
    cut the run into words and single characters, the one that covers most is taken, by dynamic programming:
    `best[i] = max(best[i - 1], best[i - n] + n for each listed word of n characters that ends at i)`. A single
    character is not counted as a word: nearly each one is in the list, so it would tell nothing.

    Args:
        run: Chinese characters and nothing else.
        name: The list of wordfreq.
    """
    words = listed("zh", name)
    simplified = _to_simplified().convert(run)
    best = [0]
    for end in range(1, len(simplified) + 1):
        fitting = (n for n in range(2, min(_longest(name), end) + 1) if simplified[end - n : end] in words)
        best.append(max([best[-1], *(best[end - n] + n for n in fitting)]))
    return best[-1]


def letters_in_words(text: str, name: str = LIST) -> int:
    """Count the Latin letters of a text that form listed English words. A word may hold apostrophes."""
    words, counted = listed("en", name), 0
    for run in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", _HAN.sub(" ", text)):
        lower = run.lower().replace("’", "'")
        parts = [lower] if lower in words else lower.split("'")
        counted += sum(len(part.replace("'", "")) for part in parts if part in words)
    return counted


def words_percent(text: str, name: str = LIST) -> float | None:
    """Return the share of a text's letters that form words that people use.

    `100 * (characters_in_words of each run of Chinese characters + letters_in_words) / letters`.

    Returns:
        Percent, 0 to 100; None for a text without letters.
    """
    letters = sum(script(one) is not None for one in text)
    formed = sum(characters_in_words(run, name) for run in _HAN.findall(text)) + letters_in_words(text, name)
    return 100 * formed / letters if letters else None


def script_percent(text: str, wanted: Script) -> float | None:
    """Return the share of a text's letters that are of one script, in percent; None for a text without letters."""
    found = [of for of in map(script, text) if of is not None]
    return 100 * found.count(wanted) / len(found) if found else None


def looped_percent(text: str) -> float | None:
    """Return the share of a text's characters that only repeat: those of a loop after its first round.

    Loops are those of `metrics.repetition`, phrases of words and marks, and also runs of one character, `RUN` or more
    in a row. A run counts without its first character. Spaces are not counted.

    Returns:
        Percent, 0 to 100; None for a text without characters.
    """
    repeats = np.zeros(len(text), bool)
    for start, end in metrics.repetition(text)["looped_spans"]:
        repeats[start:end] = True
    for run in re.finditer(rf"(\S)\1{{{RUN - 1},}}", text):
        repeats[run.start() + 1 : run.end()] = True
    counted = np.array([not one.isspace() for one in text], bool)
    return 100 * float(repeats[counted].mean()) if counted.any() else None


def broken_percent(content: bytes, ended: bool) -> float | None:
    """Return the share of the bytes that are not part of valid UTF-8 (RFC 3629): `100 * invalid / all`.

    Args:
        content: The bytes of a text.
        ended: Whether the writer ended the text. If not, a character that is cut off at the very end does not count as
            broken, since it is the limit that cut it off.

    Returns:
        Percent, 0 to 100; None if there are no bytes.
    """
    if not content:
        return None
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    valid = len(decoder.decode(content).encode())
    unfinished = 0 if ended else len(decoder.getstate()[0])
    return 100 * (len(content) - valid - unfinished) / len(content)


def language(text: str) -> AnswerLanguage:
    """Tell in which language a text answers.

    English: more than half of its letters are Latin, and more than half of those form listed English words. Chinese:
    more than half of its letters are Chinese characters. Neither: all else, a text without letters too.
    """
    found = [of for of in map(script, text) if of is not None]
    latin = found.count(Script.LATIN)
    if 2 * latin > len(found) and 2 * letters_in_words(text) > latin:
        return AnswerLanguage.ENGLISH
    return AnswerLanguage.CHINESE if 2 * found.count(Script.HAN) > len(found) else AnswerLanguage.NEITHER


def judge(judged: pd.DataFrame) -> pd.DataFrame:
    """Add to the rows of texts what is measured of each: `language`, `in_words` and `repeats` (percent)."""
    texts = judged["continuation"]
    return judged.assign(
        language=[language(text).value for text in texts],
        in_words=_numbers(map(words_percent, texts)),
        repeats=_numbers(map(looped_percent, texts)),
    )


def of_texts(samples: pd.DataFrame, label: str, prompt_script: Script, tokenizer, seed: int | None) -> TextQuality:
    """Measure the texts of a group by what comes after their prompts.

    Args:
        samples: Rows with `continuation`, `new_tokens` and `token_ids`.
        label: The group's name.
        prompt_script: The script of the prompt, or of the language in which the group is written.
        tokenizer: The tokenizer of `token_ids`; None for shuffled characters, of which neither loops nor bytes are
            measured.
        seed: The seed that the texts were drawn with, or None.
    """
    return _summary(
        label,
        [
            TextShares(
                words=words_percent(row.continuation),
                looped=None if tokenizer is None else looped_percent(row.continuation),
                broken_bytes=None
                if tokenizer is None
                else broken_percent(byte_level.token_bytes(row.token_ids, tokenizer), row.ended),
                prompt_script=script_percent(row.continuation, prompt_script),
                answer=language(row.continuation),
                new_tokens=row.new_tokens,
                characters=len(row.continuation),
            )
            for row in samples.itertuples()
        ],
        seed,
    )


def _summary(label: str, by_text: Sequence[TextShares], seed: int | None) -> TextQuality:
    answers = [one.answer for one in by_text]
    return TextQuality(
        label=label,
        texts=len(by_text),
        seed=seed,
        new_tokens=sum(one.new_tokens for one in by_text),
        characters=sum(one.characters for one in by_text),
        shares={name: statistics.mean(_values(by_text, name)) for name in SHARES},
        answers_in_english=answers.count(AnswerLanguage.ENGLISH),
        answers_in_chinese=answers.count(AnswerLanguage.CHINESE),
        without_letters=sum(one.words is None for one in by_text),
        by_text=list(by_text),
    )


def compare(
    english: pd.DataFrame, chinese_prompt: pd.DataFrame, stories: pd.DataFrame, declaration: pd.DataFrame, tokenizer
) -> Quality:
    """Measure the model's texts after two prompts, beside people's and beside shuffled characters.

    Args:
        english: What the model wrote after the English prompt: rows of `generation.generate_samples`.
        chinese_prompt: The same after the Chinese one.
        stories: What people wrote in English: rows of `continuations.shortened`.
        declaration: The same in Chinese.
        tokenizer: The tokenizer that made all `token_ids`.
    """
    seed = int(english["seed"].iloc[0])
    answers = [language(text) is AnswerLanguage.CHINESE for text in chinese_prompt["continuation"]]
    in_chinese = chinese_prompt[answers]
    return Quality(
        english=of_texts(english, "the model, English prompt", Script.LATIN, tokenizer, seed),
        people_stories=of_texts(stories, "people, English stories", Script.LATIN, tokenizer, None),
        chinese=of_texts(chinese_prompt, "the model, Chinese prompt", Script.HAN, tokenizer, seed),
        chinese_answers=of_texts(in_chinese, "of these, answers in Chinese", Script.HAN, tokenizer, seed),
        chinese_shuffled=of_texts(shuffled(in_chinese, seed), "those answers, shuffled", Script.HAN, None, seed),
        people_chinese=of_texts(declaration, "people, Chinese declaration", Script.HAN, tokenizer, None),
        people_shuffled=of_texts(shuffled(declaration, seed), "the declaration, shuffled", Script.HAN, None, seed),
    )


def shuffled(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Put the Chinese characters of each text in random order: what words come by chance. All else keeps its place."""
    random = np.random.default_rng(seed)
    mixed = []
    for text in samples["continuation"]:
        characters = iter(random.permutation(np.array(chinese.characters(text), object)))
        mixed.append(_HAN.sub(lambda run, rest=characters: "".join(next(rest) for _ in run[0]), text))
    return samples.assign(continuation=mixed)


def differences(minuend: TextQuality, subtrahend: TextQuality) -> dict[str, Estimate]:
    """Return the difference of each share, in percentage points, with its bootstrap interval over the texts of both."""
    return {
        name: statistics.difference_of_means(_values(minuend.by_text, name), _values(subtrahend.by_text, name))
        for name in SHARES
    }


def word_lists(chinese_prompt: pd.DataFrame, declaration: pd.DataFrame, seed: int) -> list[WordList]:
    """Measure the share of letters in words by each of wordfreq's lists, to show what the choice of the list does.

    Args:
        chinese_prompt: What the model wrote after the Chinese prompt; only its answers in Chinese are counted.
        declaration: What people wrote in Chinese.
        seed: The seed of the shuffling.
    """
    answers = [text for text in chinese_prompt["continuation"] if language(text) is AnswerLanguage.CHINESE]
    groups = {
        "chinese_answers": answers,
        "people_chinese": declaration["continuation"],
        "people_shuffled": shuffled(declaration, seed)["continuation"],
    }
    return [
        WordList(
            name=name,
            per_million=per_million,
            used=name == LIST,
            chinese_words=len(listed("zh", name)),
            english_words=len(listed("en", name)),
            words={
                group: statistics.mean(_numbers(words_percent(text, name) for text in texts)).value
                for group, texts in groups.items()
            },
        )
        for name, per_million in PER_MILLION.items()
    ]


def _values(by_text: Sequence[TextShares], name: str) -> list[float]:
    return _numbers(getattr(one, name) for one in by_text)


def _numbers(values) -> list[float]:
    return [float("nan") if value is None else value for value in values]


@functools.cache
def _longest(name: str) -> int:
    return max(map(len, listed("zh", name)))


@functools.cache
def _to_simplified():
    return opencc.OpenCC("t2s")
