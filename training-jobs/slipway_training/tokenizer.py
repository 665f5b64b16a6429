"""The byte-level BPE tokenizer that a from-scratch run trains on its own text.

The chat template is plain continuation (each message on a line of its own): a model trained on
running text knows no roles. It has no loops over anything but the messages, so it cannot hang.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway_training.errors import ConfigInvalid

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{{ '\\n' }}{% endfor %}"


def train_tokenizer(texts: Iterable[str], *, vocab_size: int, context: int) -> Any:
    """A ``PreTrainedTokenizerFast`` with at most ``vocab_size`` entries, special ones included."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        model_max_length=context,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(folder: Any) -> Any:
    """The tokenizer that an artifact carries; ConfigInvalid when there is none."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ConfigInvalid(f"{folder} has no tokenizer that can be loaded: {error}") from error


def save_tokenizer(tokenizer: Any, folder: Any) -> None:
    """Write JSON files only; the chat template goes into ``tokenizer_config.json``."""
    tokenizer.save_pretrained(str(folder), save_jinja_files=False)
