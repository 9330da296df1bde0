"""Which of the five languages a message is in, by script and by the small words that give each one away."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from servers.kit.text.normalise import normalise

_MARKERS: Mapping[str, str] = {
    "fr": "je j tu il elle nous vous ils le la les un une des du de d est ce que qui quoi pas ne n pour avec dans sur mon ma "
    "mes votre vos et ou mais comment pourquoi quand combien est suis ai avez bonjour merci svp c s l au aux",
    "en": "i you he she it we they the a an of to in on for with my your is are was do does did not don t can could would "
    "please how what where when why which hi hello thanks this that have has and but me am im",
    "darija_arabizi": "ana nta nti howa hiya hna ntoma dyal dial d f mn l 3la m3a wach wash chnou chno fin kifach 3lach imta "
    "ch7al chhal bghit khassni kayn makaynch daba mazal 3afak afak salam bzaf bezzaf had hadi hada dyali dialy rah w wla "
    "chi walo ma machi khouya lah 3ndi 3andi 3ndkom lia liya n9der momkin chokran safi yak bach li b",
    "ar": "هل ما ماذا كيف اين متي لماذا كم من الي علي في عن هذا هذه ذلك التي الذي لم لن لا قد ان انا نحن انتم اريد اود "
    "يمكنني يمكن ارجو شكرا لكم لديكم فضلكم مع بعد قبل منذ حتي لكن كان عند لدي الا اي و يا ليس لي بي رقم",
    "darija_arabic": "واش شنو اشنو فين كيفاش علاش امتي امته وقتاش شحال بغيت خاصني خاص كاين كاينه ماكاينش دابا مازال عفاك عفاكم "
    "بزاف هاد هادي هادا هادشي ديال ديالي ديالكم ديالو راه را ولا شي والو ماشي خويا ختي عندي عندكم ليا ليه نقدر حنا نتا "
    "نتوما باش غير زوين مزيان حيت ف د اللي لي كي فيه شنا اش منين لله تاع كنت عاود بلا شكون هو ما كلشي",
}
_DARIJA_PREFIXES = ("كن", "كت", "كي", "مكا", "ماكا", "غن", "غت")


@cache
def _markers() -> dict[str, frozenset[str]]:
    return {language: frozenset(words.split()) for language, words in _MARKERS.items()}


def guess(text: str) -> dict[str, float]:
    """Weight of each language, at least 0; all equal when nothing gives the text away."""
    words = normalise(text).split()
    arabic = sum("\u0600" <= letter <= "\u06ff" for letter in text)
    latin = sum(letter.isascii() and letter.isalpha() for letter in text)
    weights = {language: 0.1 + sum(word in markers for word in words) for language, markers in _markers().items()}
    weights["darija_arabizi"] += sum(any(digit in word for digit in "3792") and not word.isdigit() for word in words)
    weights["darija_arabic"] += sum(word.startswith(_DARIJA_PREFIXES) or word.endswith("ش") for word in words)
    if arabic != latin:
        for language in weights:
            if (language in ("ar", "darija_arabic")) != (arabic > latin):
                weights[language] = 0.0
    return weights
