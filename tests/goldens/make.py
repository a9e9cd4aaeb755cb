"""Makes the folders beside this file: tiny random models, and what transformers computes with them.

    pip install torch==2.13.0 transformers==5.23.0 safetensors numpy
    python tests/goldens/make.py [FOLDER …]

Nothing in kedge runs this script; its output is committed. README.md says what the files hold.

Weights are drawn from a seed, rounded to the type they are stored in, and used in float32, with eager attention.
A seed is taken if no greedy step is closer than MIN_GAP to a tie, so that the argmax of any correct device is the same.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
ROWS, TOKENS, CONTINUATION = 2, 20, 16
MIN_GAP = 0.01  # of the largest logit: a hundred times the bound that tests hold a device to

SIZES = dict(vocab_size=211, bos_token_id=None, eos_token_id=None, pad_token_id=None)
LLAMA = SIZES | dict(hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=128)
GPT2 = SIZES | dict(n_embd=64, n_layer=3, n_head=4, n_positions=96)

# folder: (model_type, type of the weights, configuration). OLD: config.json as files from before transformers 5 have it.
OLD = "old"
CASES = {
    "llama": ("llama", torch.float32, LLAMA | dict(num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)),
    "llama-rope3-tied-bf16": (
        "llama",
        torch.bfloat16,
        LLAMA
        | dict(num_hidden_layers=2, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True)
        | dict(
            rope_parameters=dict(
                rope_theta=500000.0,
                rope_type="llama3",
                factor=8.0,
                high_freq_factor=4.0,
                low_freq_factor=1.0,
                original_max_position_embeddings=64,
            )
        ),
        OLD,
    ),
    "llama-sharded-f16": (
        "llama",
        torch.float16,
        LLAMA
        | dict(num_hidden_layers=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)
        | dict(attention_bias=True, mlp_bias=True),
    ),
    "llama-linear-rope": (
        "llama",
        torch.bfloat16,
        LLAMA
        | dict(num_hidden_layers=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)
        | dict(rope_parameters=dict(rope_theta=10000.0, rope_type="linear", factor=4.0)),
        OLD,
    ),
    "mistral-window": (
        "mistral",
        torch.bfloat16,
        LLAMA | dict(num_key_value_heads=2, head_dim=32, tie_word_embeddings=False, sliding_window=8),
    ),
    "qwen2": ("qwen2", torch.bfloat16, LLAMA | dict(num_key_value_heads=2, tie_word_embeddings=True), OLD),
    "qwen3": ("qwen3", torch.bfloat16, LLAMA | dict(num_key_value_heads=2, head_dim=32, tie_word_embeddings=False)),
    "gpt2": ("gpt2", torch.float32, GPT2, OLD),
    "gpt2-bare": ("gpt2", torch.float16, GPT2 | dict(n_layer=2)),
    "gpt-bigcode": ("gpt_bigcode", torch.bfloat16, GPT2 | dict(multi_query=True), OLD),
    "starcoder2": (
        "starcoder2",
        torch.float16,
        LLAMA | dict(num_key_value_heads=2, sliding_window=12, use_bias=True, tie_word_embeddings=True),
    ),
    "codegen": ("codegen", torch.float16, GPT2 | dict(rotary_dim=8, n_ctx=96, tie_word_embeddings=False), OLD),
    "gpt-neox": (
        "gpt_neox",
        torch.bfloat16,
        LLAMA
        | dict(rope_parameters=dict(rope_theta=10000.0, rope_type="default", partial_rotary_factor=0.25))
        | dict(use_parallel_residual=True, tie_word_embeddings=False),
    ),
    "phi": (
        "phi",
        torch.bfloat16,
        LLAMA
        | dict(num_key_value_heads=4, tie_word_embeddings=False)
        | dict(rope_parameters=dict(rope_theta=10000.0, rope_type="default", partial_rotary_factor=0.5)),
        OLD,
    ),
    "gemma2": (
        "gemma2",
        torch.bfloat16,
        LLAMA
        | dict(num_key_value_heads=2, head_dim=32, query_pre_attn_scalar=32, sliding_window=8, tie_word_embeddings=True)
        | dict(layer_types=["sliding_attention", "full_attention", "sliding_attention"]),
    ),
}


def draw(model, random, dtype):
    """Fills every parameter with normal numbers that `dtype` holds exactly, wide enough that every part of a layer matters."""
    for name, parameter in model.named_parameters():
        numbers = torch.randn(parameter.shape, generator=random)
        if parameter.dim() > 1:
            is_embedding = any(part in name for part in ("embed", "wte", "wpe"))
            numbers *= 0.7 if is_embedding else 1.6 / parameter.shape[1] ** 0.5
        elif name.endswith("bias"):
            numbers *= 0.2
        else:  # scales of norms; Gemma's are stored less 1
            numbers = numbers * 0.1 + (0 if "Gemma" in type(model).__name__ else 1)
        parameter.data = numbers.to(dtype).float()
    model.tie_weights()


def greedy(logits_of, ids, count):
    """[rows, tokens + count], and the smallest distance of the largest two logits on the way, in shares of the largest."""
    gap = float("inf")
    for _ in range(count):
        logits = logits_of(ids)[:, -1]
        top = logits.topk(2).values
        gap = min(gap, float(((top[:, 0] - top[:, 1]) / logits.abs().amax(-1)).min()))
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], 1)
    return ids, gap


def as_old(config):
    """config.json as it was before transformers 5: `torch_dtype`, and rope as fields of its own."""
    config["torch_dtype"] = config.pop("dtype")
    rope = config.pop("rope_parameters", None)
    if rope is not None:
        config["rope_theta"] = rope.pop("rope_theta")
        if "partial_rotary_factor" in rope:
            config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        kind = rope.pop("rope_type")
        name = "type" if kind == "linear" else "rope_type"
        config["rope_scaling"] = None if kind == "default" else {name: kind, **rope}
    return config


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


def make(name, model_type, dtype, sizes, style="new"):
    config = transformers.AutoConfig.for_model(model_type, **sizes)
    config._attn_implementation = "eager"
    for seed in range(1000):
        random = torch.Generator().manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        draw(model, random, dtype)
        ids = torch.randint(config.vocab_size, (ROWS, TOKENS), generator=random)
        continued, gap = greedy(lambda row: model(row).logits, ids, CONTINUATION)
        if gap >= MIN_GAP:
            break
    out = model(ids, output_hidden_states=True, output_attentions=True)
    golden = {"input_ids": ids, "logits": out.logits, "greedy": continued}
    golden |= {f"hidden.{i}": state for i, state in enumerate(out.hidden_states)}
    golden |= {f"attention.{i}": pattern for i, pattern in enumerate(out.attentions)}

    folder = HERE / name
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    model.to(dtype).save_pretrained(folder, **(dict(max_shard_size="60KB") if "sharded" in name else {}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name == "gpt2-bare":  # as openai-community/gpt2: no `transformer.`, causal masks among the weights
        weights = load_file(folder / "model.safetensors")
        weights = {key.removeprefix("transformer."): value for key, value in weights.items()}
        mask = torch.ones(sizes["n_positions"], sizes["n_positions"], dtype=torch.bool).tril()[None, None]
        weights |= {f"h.{i}.attn.bias": mask.to(dtype) for i in range(sizes["n_layer"])}
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    stored = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", as_old(stored) if style == OLD else stored)
    save_file({key: value.detach().contiguous() for key, value in golden.items()}, folder / "golden.safetensors")
    print(f"{name}: seed {seed}, gap {gap:.3f}")


# Anchor attention and Selective Prompt Anchoring, which transformers has not: a Llama written out. ----------------------

ANCHORED = LLAMA | dict(vocab_size=128, num_hidden_layers=6, num_key_value_heads=2, max_position_embeddings=256)
ANCHORED |= dict(rms_norm_eps=1e-5, tie_word_embeddings=True, head_dim=16)
ANCHOR_IDS, MASK_ID, LAYER_MAP = (10, 11), 1, {3: 0, 4: 1, 5: 2}
MASKS = {  # visible keys: see `visible_keys`
    "dense": None,
    "taa": dict(sinks=1),
    "taa-sinks0": dict(sinks=0),
    "taa-anllm": dict(sinks=1, anchor_sees_anchors=False),
    "taa-recent2": dict(sinks=1, keep_recent=2),
    "taa-sinks4-recent1": dict(sinks=4, keep_recent=1),
    "window8": dict(window=8),
    "sinks2-window6": dict(window=6, sinks=2),
}
STRENGTHS = [(-0.5, 1.0), (0.0, 1.0), (1.0, 1.0), (1.25, 1.6), (1.3, 1.0), (2.0, 0.5)]


def visible_keys(ids, sinks=0, window=None, anchor_sees_anchors=True, keep_recent=0):
    """[tokens, tokens]: whether query i sees key j."""
    count = len(ids)
    anchor = [int(token) in ANCHOR_IDS for token in ids]
    segment = [sum(anchor[:i]) for i in range(count)]  # an anchor belongs to the segment that it closes
    seen = torch.zeros(count, count, dtype=torch.bool)
    for i in range(count):
        for j in range(i + 1):
            if window is not None:
                seen[i, j] = j < sinks or i - j < window
            else:
                by_anchor = anchor[j] and (anchor_sees_anchors or not anchor[i])
                seen[i, j] = segment[i] - segment[j] <= keep_recent or by_anchor or j < sinks
    return seen


def llama(weights, ids, seen, layer_map=None):
    """Logits [tokens, vocab] and the last layer's pattern [heads, tokens, tokens] of one row of ids [tokens]."""
    heads, kv_heads, size = 4, 2, 16
    count = len(ids)
    causal = torch.ones(count, count, dtype=torch.bool).tril()
    seen = causal if seen is None else seen
    is_anchor = torch.tensor([int(token) in ANCHOR_IDS for token in ids])
    angles = torch.arange(count)[:, None] / 10000.0 ** (torch.arange(0, size, 2) / size)
    cos, sin = (f(angles).repeat(1, 2)[None] for f in (torch.cos, torch.sin))  # [1, tokens, size]

    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weights[name]

    def rotate(x):
        return x * cos + torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1) * sin

    def split(x, many):  # [tokens, many * size] -> [heads, tokens, size]
        return x.view(count, many, size).transpose(0, 1).repeat_interleave(heads // many, 0)

    x = weights["model.embed_tokens.weight"][ids]
    keys, values = {}, {}
    for i in range(6):
        at = f"model.layers.{i}"
        n = norm(x, f"{at}.input_layernorm.weight")
        q, k, v = (n @ weights[f"{at}.self_attn.{p}_proj.weight"].T for p in "qkv")
        q, keys[i], values[i] = rotate(split(q, heads)), rotate(split(k, kv_heads)), split(v, kv_heads)
        scores = (q @ keys[i].transpose(1, 2) / size**0.5).masked_fill(~seen, -torch.inf)
        if layer_map and i in layer_map:  # the source layer's anchors, further columns of the same softmax
            more = q @ keys[layer_map[i]].transpose(1, 2) / size**0.5 + weights[f"{at}.self_attn.anchor_bias"][:, None, None]
            pattern = torch.cat([scores, more.masked_fill(~(causal & is_anchor), -torch.inf)], -1).softmax(-1)
            mixed = pattern @ torch.cat([values[i], values[layer_map[i]]], 1)
        else:
            pattern = scores.softmax(-1)
            mixed = pattern @ values[i]
        x = x + mixed.transpose(0, 1).reshape(count, -1) @ weights[f"{at}.self_attn.o_proj.weight"].T
        n = norm(x, f"{at}.post_attention_layernorm.weight")
        gate, up = (n @ weights[f"{at}.mlp.{p}_proj.weight"].T for p in ("gate", "up"))
        x = x + (torch.nn.functional.silu(gate) * up) @ weights[f"{at}.mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ weights["model.embed_tokens.weight"].T, pattern


def log_probs(weights, ids):
    return torch.stack([llama(weights, row, None)[0] for row in ids]).log_softmax(-1)


def anchored(weights, ids):
    """What the goldens of a model with anchors hold, and the smallest gap of its greedy continuations."""
    golden = {"input_ids": ids}
    for name, rule in MASKS.items():
        seen = [torch.ones(len(row), len(row)).tril().bool() if rule is None else visible_keys(row, **rule) for row in ids]
        rows = [llama(weights, row, mask) for row, mask in zip(ids, seen)]
        golden[f"{name}.visible"] = torch.stack(seen)
        golden[f"{name}.logits"] = torch.stack([logits for logits, _ in rows])
        golden[f"{name}.attention.last"] = torch.stack([pattern for _, pattern in rows])
        golden[f"{name}.keys_at_end"] = torch.stack([mask[-1].sum() for mask in seen])
    layer_wise = [llama(weights, row, visible_keys(row, sinks=1), LAYER_MAP) for row in ids]
    golden["laa.logits"] = torch.stack([logits for logits, _ in layer_wise])

    prompt = ids[:, :24]
    masked = prompt[:, None].repeat(1, 2, 1)  # [rows, groups, tokens]
    masked[:, 0, 4:9] = MASK_ID
    masked[:, 1, 12:15] = MASK_ID
    masked[:, 1, 18:20] = MASK_ID
    golden |= {"spa.prompt": prompt, "spa.masked": masked}
    smallest = float("inf")
    for strengths in STRENGTHS:

        def combined(rows):  # l + sum over groups of (w - 1) (l - l_masked), of log-softmaxed logits
            plain = log_probs(weights, rows)
            total = plain.clone()
            for group, strength in enumerate(strengths):
                other = torch.cat([masked[:, group], rows[:, 24:]], 1)
                if strength != 1:
                    total += (strength - 1) * (plain - log_probs(weights, other))
            return total

        name = ",".join(map(str, strengths))
        golden[f"spa.{name}.logits"] = combined(prompt)[:, -1]
        golden[f"spa.{name}.greedy"], gap = greedy(combined, prompt, CONTINUATION)
        smallest = min(smallest, gap)
    return golden, smallest


def make_anchors():
    config = transformers.AutoConfig.for_model("llama", **ANCHORED)
    config._attn_implementation = "eager"
    for seed in range(1000):
        random = torch.Generator().manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
        draw(model, random, torch.bfloat16)
        weights = {key: value for key, value in model.state_dict().items() if key != "lm_head.weight"}
        for layer in LAYER_MAP:
            bias = -2 + 0.1 * torch.randn(4, generator=random)
            weights[f"model.layers.{layer}.self_attn.anchor_bias"] = bias.bfloat16().float()
        ids = torch.randint(12, 128, (2, 48), generator=random)
        ends = torch.rand(2, 48, generator=random)
        ids = torch.where(ends < 0.1, 10, torch.where(ends < 0.2, 11, ids))
        golden, gap = anchored(weights, ids)
        if gap >= MIN_GAP / 20:  # 192 steps, some at strengths that flatten the distribution
            break
    theirs = model(ids).logits
    assert (golden["dense.logits"] - theirs).abs().max() < 1e-5 * theirs.abs().max(), "the Llama above is not transformers'"
    folder = HERE / "anchors"
    folder.mkdir(exist_ok=True)
    stored = config.to_dict()
    keep = ("model_type", "rms_norm_eps", "tie_word_embeddings", "hidden_act", "num_key_value_heads", "head_dim")
    stored = {key: stored[key] for key in (*keep, *(key for key in LLAMA if stored.get(key) is not None))}
    stored |= dict(architectures=["LlamaForCausalLM"], rope_theta=10000.0, torch_dtype="bfloat16")
    stored["anchor_attention"] = dict(
        anchor_token_ids=list(ANCHOR_IDS),
        sinks=1,
        anchor_sees_anchors=True,
        layer_map={str(layer): source for layer, source in LAYER_MAP.items()},
    )
    write_json(folder / "config.json", stored)
    half = {key: value.bfloat16().contiguous() for key, value in weights.items()}
    save_file(half, folder / "model.safetensors", {"format": "pt"})
    save_file({key: value.detach().contiguous() for key, value in golden.items()}, folder / "golden.safetensors")
    print(f"anchors: seed {seed}, gap {gap:.4f}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    wanted = sys.argv[1:] or [*CASES, "anchors"]
    for name in wanted:
        make_anchors() if name == "anchors" else make(name, *CASES[name])
