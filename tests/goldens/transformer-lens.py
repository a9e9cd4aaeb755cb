"""Makes gpt2/transformer-lens.safetensors: what TransformerLens says of the tiny model gpt2/.

    pip install torch transformer-lens==2.16.1 better-abc
    python tests/goldens/transformer-lens.py

Nothing in kedge runs this script; its output is committed. README.md says what the file holds.
"""

import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights

FOLDER = pathlib.Path(__file__).parent / "gpt2"
LAYER = 1  # where the passes between layers end and begin
PERIOD = 12  # tokens of the text that is repeated for the scores of heads


def load():
    model = transformers.GPT2LMHeadModel.from_pretrained(FOLDER, torch_dtype=torch.float32, attn_implementation="eager")
    own = json.loads((FOLDER / "config.json").read_text())
    config = HookedTransformerConfig(
        n_layers=own["n_layer"],
        d_model=own["n_embd"],
        n_ctx=own["n_positions"],
        d_head=own["n_embd"] // own["n_head"],
        n_heads=own["n_head"],
        d_mlp=4 * own["n_embd"],
        d_vocab=own["vocab_size"],
        act_fn="gelu_new",
        eps=own["layer_norm_epsilon"],
        normalization_type="LN",
        original_architecture="GPT2LMHeadModel",
        device="cpu",
    )
    lens = HookedTransformer(config)
    # Nothing is folded or centered: the weights are those of the file.
    lens.load_and_process_state_dict(
        convert_gpt2_weights(model, config), fold_ln=False, center_writing_weights=False, center_unembed=False, fold_value_biases=False
    )
    lens.set_use_attn_result(True)
    return lens.eval()


def digest(weight):
    """One number that depends on every number of a weight and on its place: sum of w[i] sin(i + 1), row-major."""
    flat = weight.double().flatten()
    return (flat * torch.sin(torch.arange(1, flat.numel() + 1, dtype=torch.float64))).sum().float()


@torch.no_grad()
def main():
    lens = load()
    tokens = load_file(FOLDER / "golden.safetensors")["input_ids"][:1].long()
    out = {}
    for name, weight in lens.state_dict().items():
        if "mask" in name or "IGNORE" in name:
            continue
        out[f"weights.{name}.shape"] = torch.tensor(list(weight.shape), dtype=torch.int32)
        out[f"weights.{name}.digest"] = digest(weight).reshape(1)

    logits, cache = lens.run_with_cache(tokens)
    layers = lens.cfg.n_layers
    for layer in range(layers):
        for tap in ("attn.hook_result", "ln1.hook_scale", "ln2.hook_scale"):
            out[f"blocks.{layer}.{tap}"] = cache[f"blocks.{layer}.{tap}"][0]
    out["ln_final.hook_scale"] = cache["ln_final.hook_scale"][0]
    out["logits"] = logits[0, -1]

    residual = lens(tokens, stop_at_layer=LAYER)
    out["residual"] = residual[0]
    zeroed = residual.clone()
    zeroed[:, 3] = 0
    out["from-residual"] = lens(zeroed, start_at_layer=LAYER)[0, -1]

    # Logit lens: the residual before each layer and at the end, of the last token, each normed by its own scale.
    stack, _ = cache.accumulated_resid(layer=-1, incl_mid=False, pos_slice=-1, return_labels=True)
    out["lens"] = torch.stack([lens.unembed(lens.ln_final(one[:, None]))[0, 0] for one in stack])

    # Direct logit attribution of the last place to the token with the largest logit: each part over the final norm's scale.
    target = int(logits[0, -1].argmax())
    out["attribution.token"] = torch.tensor([target], dtype=torch.int32)
    direction = lens.ln_final.w * lens.W_U[:, target]
    # embedding, positions, then attention and feed-forward network of each layer
    parts = cache.decompose_resid(layer=-1, mode="full", pos_slice=-1)
    out["attribution.parts"] = (cache.apply_ln_to_stack(parts, layer=-1, pos_slice=-1)[:, 0] @ direction)
    heads = cache.stack_head_results(layer=-1, pos_slice=-1)
    out["attribution.heads"] = (cache.apply_ln_to_stack(heads, layer=-1, pos_slice=-1)[:, 0] @ direction).reshape(layers, -1)

    # Scores of heads on a text that is said twice: how much a row gives to the token before it, to its own first occurrence, and to the one
    # behind that.
    text = torch.randint(0, lens.cfg.d_vocab, (1, PERIOD), generator=torch.Generator().manual_seed(0)).repeat(1, 2)
    _, cache = lens.run_with_cache(text)
    out["heads.tokens"] = text[0].int()
    for name, offset, first in (("previous", 1, 1), ("duplicate", PERIOD, PERIOD), ("induction", PERIOD - 1, PERIOD)):
        scores = []
        for layer in range(layers):
            stripe = cache["pattern", layer][0].diagonal(-offset, dim1=-2, dim2=-1)  # [heads, rows - offset]
            scores.append(stripe[:, first - offset :].mean(-1))
        out[f"heads.{name}"] = torch.stack(scores)
    save_file({name: value.contiguous() for name, value in out.items()}, FOLDER / "transformer-lens.safetensors")


main()
