"""What the program prints of an error of errors.def, against the golden file of its code."""

import os
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "golden" / "errors"


def told(printed, stands=()):
    """Texts that are others in each run are replaced: those of `stands` first, then ports of loopback."""
    for what, by in stands:
        printed = printed.replace(str(what), by)
    return re.sub(r"(127\.0\.0\.1|\[::1\]|localhost|::1)(:| port )[0-9]{4,5}\b", r"\1\2<port>", printed)


def told_as(code, printed, stands=()):
    """Empty where `printed` is what tests/golden/errors/CODE.txt has, else both; PLAN_ACCEPT=1 writes the file."""
    text = told(printed, stands)
    if f"[{code}]" not in text:
        return f"is no {code}: {text}"
    file = FOLDER / f"{code}.txt"
    if os.environ.get("PLAN_ACCEPT"):
        file.write_text(text, encoding="utf-8")
        return ""
    expected = file.read_text(encoding="utf-8") if file.exists() else ""
    return "" if text == expected else f"--- {file}\n{expected}\n--- is\n{text}"
