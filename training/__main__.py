"""Trains every model: `python -m training`."""

from training import language, reader, transliteration

transliteration.main()
language.main()
reader.main()
