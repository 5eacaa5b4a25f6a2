"""Texts that trainings of tests take: of many lengths, the tokens of one of them three bytes each."""

TEXTS = [
    "the lake",
    "rain",
    "we went home by the long road",
    "a dog followed us up the hill and back again",
    "春眠",
    "I",
]
LENGTH = 32  # tokens to which they are cut
