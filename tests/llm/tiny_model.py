"""Makes a language model of random weights that vLLM can serve: `python tiny_model.py FOLDER`, with vLLM's own packages."""

from __future__ import annotations

import sys

from tokenizers import ByteLevelBPETokenizer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

LETTERS = [chr(code) for code in range(32, 127)]
SENTENCES = [
    "bonjour, où est ma commande ?",
    "salam, fin kayna la commande dyali?",
    "سلام، فين الطلبية ديالي؟",
    *LETTERS,
]
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content or '' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def make(folder: str) -> None:
    """Writes the model and its tokenizer."""
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(SENTENCES * 20, vocab_size=400, special_tokens=["<s>", "</s>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


if __name__ == "__main__":
    make(sys.argv[1])
