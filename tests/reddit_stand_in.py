"""A small file of reddit_tifu's format in place of the real one, known to TFDS by a checksum of its own.

TFDS's builder, downloader and checks are the real ones. They run in a process of their own as well: this file is then
the command, and `REDDIT_STAND_IN` tells it what to put in place.
"""

import hashlib
import json
import os
import sys

FIRST = ("me and a friend decided to go to the beach last sunday. we ate seafood.", "liking seafood")
STORIES = [
    FIRST,
    ("lost my keys.", "losing keys"),
    ("lost my keys.", "losing them twice"),
    ("", "nothing to say"),
    ("went out.", "going"),
]


def content(stories, summaries=()) -> bytes:
    """The file: a line of JSON for each story, with a summary for those whose number is among `summaries`."""
    lines = [
        json.dumps(
            {
                "selftext_without_tldr": document,
                "trimmed_title": title,
                "tldr": f"in short: {title}" if index in summaries else None,
                "id": str(index),
                "ups": 1.0,
                "num_comments": 2.0,
                "score": 3.0,
                "upvote_ratio": 0.5,
            }
        )
        for index, (document, title) in enumerate(stories)
    ]
    return "".join(line + "\n" for line in lines).encode()


def describe(data: bytes, address: str) -> str:
    """What `put_in_place` needs, as text for an environment variable."""
    return json.dumps({"address": address, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def put_in_place(description: str, name: str):
    """Makes TFDS know the stand-in's address, size and SHA-256. Returns a function that undoes it."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import checksums

    told = json.loads(description)
    builder = tfds.builder_cls("reddit_tifu")
    module = sys.modules[builder.__module__]
    infos, address = builder.url_infos, module._URL
    known = infos[address]
    infos.pop(address)
    module._URL = told["address"]
    infos[module._URL] = checksums.UrlInfo(size=told["size"], checksum=told["sha256"], filename=name)

    def undo():
        infos.pop(module._URL)
        module._URL = address
        infos[address] = known

    return undo


if __name__ == "__main__":
    from lib.core import imports

    with imports.many_objects_kept():
        from lib.data import reddit_tifu

    put_in_place(os.environ["REDDIT_STAND_IN"], reddit_tifu.FILE)
    sys.exit(reddit_tifu.main(sys.argv[1:]))
