from servers.nlu.labels import Labels
from servers.nlu.language import SERVED
from servers.nlu.lexicon import read_lexicon


def test_each_intent_has_a_cue_and_each_concept_its_phrases(labels: Labels) -> None:
    lexicon = read_lexicon()
    assert {intent for intent, _ in lexicon.cues} == set(labels.intents) - {"out_of_scope"}
    assert {concept for _, concepts in lexicon.cues for concept in concepts} == set(lexicon.concepts)
    for concept, languages in lexicon.concepts.items():
        assert set(languages) == set(SERVED), concept
        assert all(phrase.strip() == phrase and phrase for phrases in languages.values() for phrase in phrases), concept
