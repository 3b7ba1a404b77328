"""Word error rate.

Before they are compared both texts become lower case, ё becomes е, numbers written in
digits are spelled in Russian words, and punctuation goes: a recognizer is not blamed
for writing «1500» where the reference says «тысяча пятьсот».
"""

import re

from num2words import num2words


def normalize(text):
    """The words that are compared."""
    text = text.lower().replace("ё", "е")
    text = re.sub(r"(\d)[\s.,](?=\d{3}\b)", r"\1", text)
    text = re.sub(r"\d+", lambda match: f" {num2words(int(match[0]), lang='ru')} ", text)
    return re.sub(r"[\W_]+", " ", text).split()


def distance(reference, hypothesis):
    """Fewest words to put in, take out or replace."""
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, found in enumerate(hypothesis, 1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != found))
            diagonal, row[j] = row[j], best
    return row[-1]


def wer(reference, hypothesis):
    """Word error rate in percent."""
    expected = normalize(reference)
    return 100 * distance(expected, normalize(hypothesis)) / len(expected)
