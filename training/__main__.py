"""Trains every model: `python -m training`."""

from training import concepts, language, ranker, reader, transliteration

transliteration.main()
language.main()
concepts.main()
reader.main()
ranker.main()
