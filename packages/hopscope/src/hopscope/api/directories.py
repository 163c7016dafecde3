"""Which part of a text is kept from strangers because it names a place on the operator's machine. Pure.

Of an absolute path the last name stays; the log and the command line keep the whole path.
"""

import re
from pathlib import Path

# a path begins where no word, ratio, relative path or URL goes on; "file:" is a path, too
_BEFORE = r"(?:(?<=file://)|(?<![\w/.~:)\]-])|(?<=:)(?!//))"
# a directory's name; one with spaces only of plain words, so that a sentence that goes on behind a path is none
_NAME = r"(?:[^\s/'\"]*[^\s/'\":;,]|[\w-]+(?: [\w-]+)+)"
_PLAIN = re.compile(rf"{_BEFORE}/+(?:{_NAME}/+)+(?=[^\s/])")
_QUOTED = re.compile(r"(?<=['\"])/(?:[^/'\"\n]*/)+(?=[^/'\"\n])")  # spaces or not: the quote says where it ends


def without_directories(text: str, *files: str) -> str:
    """The text with the last name of each path. `files`: paths it may name, found even with unusual characters."""
    for directory in sorted({str(Path(file).parent) for file in files} - {"/", "."}, key=len, reverse=True):
        text = re.sub(_BEFORE + re.escape(directory) + "/+", "", text)
    return _PLAIN.sub("", _QUOTED.sub("", text))
