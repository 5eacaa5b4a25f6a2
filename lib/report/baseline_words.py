"""Say what became of the Chinese prompt."""

from lib.core.records import (
    Baseline,
    Estimate,
    Results,
    TextQuality,
)
from lib.report import words
from lib.report.wording import say


def gibberish_in_short(results: Results, language: str = "en") -> str:
    """Say what became of both prompts, without intervals."""
    quality, parameters = results.measured.quality, results.parameters

    def told(group: TextQuality, name: str) -> str:
        return words.share_with_interval(Estimate(value=group.shares[name].value), language)

    return say(
        "gibberish_in_short",
        language,
        prompt=parameters["prompt"],
        words_english=told(quality.english, "words"),
        words_stories=told(quality.people_stories, "words"),
        chinese_prompt=parameters["chinese_prompt"],
        words=told(quality.chinese, "words"),
        words_people=told(quality.people_chinese, "words"),
        looped=told(quality.chinese, "looped"),
        looped_people=told(quality.people_chinese, "looped"),
    )


def gibberish_finding(results: Results, language: str = "en") -> list[str]:
    """Say in which language the model answers the Chinese prompt, how many letters form words, and how much repeats.

    Returns:
        A paragraph for each of the three.
    """
    measured, prompt = results.measured, results.parameters["chinese_prompt"]
    quality = measured.quality
    texts, english, chinese = (
        getattr(quality.chinese, name) for name in ("texts", "answers_in_english", "answers_in_chinese")
    )
    answers = say(
        "gibberish_answers",
        language,
        prompt=prompt,
        texts=texts,
        english=english,
        chinese=chinese,
        neither=texts - english - chinese,
    )
    if quality.chinese.without_letters:
        answers += say("gibberish_no_letters", language, count=quality.chinese.without_letters)
    letters = say("gibberish_words", language, **_beside_people(quality.chinese, measured, "words", language))
    if chinese and chinese < texts:
        letters += say(
            "gibberish_words_in_chinese",
            language,
            words=words.share_with_interval(quality.chinese_answers.shares["words"], language),
            shuffled=words.share_with_interval(quality.chinese_shuffled.shares["words"], language),
            side=words.side(measured.chinese_answers_minus_people["words"], language),
        )
    loops = say("gibberish_looped", language, **_beside_people(quality.chinese, measured, "looped", language))
    loops += say(
        "gibberish_with_a_loop",
        language,
        model=_with_a_loop(quality.chinese),
        texts=texts,
        people=_with_a_loop(quality.people_chinese),
        people_texts=quality.people_chinese.texts,
    )
    if quality.chinese.shares["broken_bytes"].value:  # that no byte is broken says nothing of gibberish
        broken = _beside_people(quality.chinese, measured, "broken_bytes", language)
        loops += say("gibberish_broken", language, **broken)
    return [answers.strip(), letters.strip(), loops.strip()]


def _with_a_loop(group: TextQuality) -> int:
    return sum((one.looped or 0) > 0 for one in group.by_text)


def _beside_people(group: TextQuality, measured: Baseline, name: str, language: str) -> dict[str, str]:
    quality = measured.quality
    groups = {"here": group, "english": quality.english, "people": quality.people_chinese}
    groups["shuffled"] = quality.people_shuffled
    told = {key: words.share_with_interval(one.shares[name], language) for key, one in groups.items()}
    return told | {"side": words.side(measured.chinese_minus_people[name], language)}
