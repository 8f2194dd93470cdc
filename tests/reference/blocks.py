"""Values, losses and gradients of the prelude's blocks, computed by PyTorch in double: writes tests/golden/blocks.txt.

Run with a python3 that has torch (Debian: python3-torch):  python3 tests/reference/blocks.py >tests/golden/blocks.txt
Each case is a net `z = x + p; y = EXPRESSION; loss mean(y * y) + mean(y)`, its leaves, and what comes out.
"""
import random
import torch
import torch.nn.functional as F

BATCH = 3
torch.set_default_dtype(torch.float64)


def grid(shape, low=-16, high=16):
    """Sixteenths: exact in every format, and short to write."""
    n = 1
    for d in shape:
        n *= d
    return torch.tensor([random.randint(low, high) / 16 for _ in range(n)]).reshape(shape)


def conv(**o):
    return lambda z, w, k: F.conv2d(z, w["conv.weight"], w["conv.bias"], **o)



W = lambda name, shape, bias=True: {name + ".weight": shape, **({name + ".bias": (shape[0],)} if bias else {})}
T = lambda shape: {"conv_transpose.weight": shape, "conv_transpose.bias": (shape[1],)}
NORM = lambda n: {"batchnorm.weight": (n,), "batchnorm.bias": (n,), "batchnorm.running_mean": (n,), "batchnorm.running_var": (n,)}


def recurrent(kind, n_in, hidden, result=lambda hs, last: hs, first=None, **o):
    """Parameters and function of torch.nn.RNN, LSTM or GRU; `first` makes the state before the first step out of z."""
    layer = getattr(torch.nn, kind)(n_in, hidden, batch_first=True, **o)
    name = kind.lower() + "."

    def f(z, w, k):
        layer._flat_weights = [w[name + n] for n in layer._flat_weights_names]
        return result(*layer(z, first(z) if first else None))
    return {name + n: tuple(p.shape) for n, p in layer.named_parameters()}, f


def batchnorm(z, w, k):
    return F.batch_norm(z, w["batchnorm.running_mean"].clone(), w["batchnorm.running_var"].clone(), w["batchnorm.weight"],
                        w["batchnorm.bias"], training=w["training"])



def module(name, layer, call=lambda layer, z: layer(z), rename=lambda n: n):
    """Parameters and function of a module of torch.nn under the prelude's names."""
    parameters = {name + "." + rename(n): tuple(p.shape) for n, p in layer.named_parameters()}

    def f(z, w, k):
        own = {n: w[name + "." + rename(n)] for n, _ in layer.named_parameters()}
        return torch.nn.utils.stateless.functional_call(Wrapped(layer, call), {"layer." + n: t for n, t in own.items()}, (z,))
    return parameters, f


class Wrapped(torch.nn.Module):
    def __init__(self, layer, call):
        super().__init__()
        self.layer, self.call = layer, call

    def forward(self, z):
        return self.call(self.layer, z)


def attention(width, heads, **o):
    return torch.nn.MultiheadAttention(width, heads, batch_first=True, **o)


def causal(steps):
    return torch.full((steps, steps), float("-inf")).triu(1)


def coder(kind, width, heads, hidden, **o):
    return getattr(torch.nn, "Transformer%sLayer" % kind)(width, heads, hidden, dropout=0, batch_first=True, **o)


def rotate(x):
    """x [batch, steps, heads, d], as in GPT-NeoX."""
    d = x.shape[-1]
    angle = torch.arange(x.shape[1])[:, None, None] * 10000.0 ** (-2 * torch.arange(d // 2) / d)
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def grouped(z, w, k):
    """Four heads of 2 numbers, two of keys and values, rotary and causal."""
    q, k, v = (z @ w["attention.in_proj_weight"].T).split([8, 4, 4], -1)
    q, k, v = rotate(q.unflatten(-1, (4, 2))), rotate(k.unflatten(-1, (2, 2))), v.unflatten(-1, (2, 2))
    k, v = k.repeat_interleave(2, 2), v.repeat_interleave(2, 2)
    scores = torch.einsum("bthd,bshd->bhts", q, k) / 2 ** 0.5 + causal(z.shape[1])
    return torch.einsum("bhts,bshd->bthd", scores.softmax(-1), v).flatten(2) @ w["attention.out_proj.weight"].T


def sinusoidal(z, w, k):
    angle = torch.arange(z.shape[1])[:, None] * 10000.0 ** (-torch.arange(0, z.shape[2], 2) / z.shape[2])
    return z + torch.stack([angle.sin(), angle.cos()], -1).flatten(1)


# name, shape of x, expression, parameters, the same in PyTorch (z, parameters, label)
CASES = [
    ("dense", (7,), "z -> dense(5)", W("dense", (5, 7)), lambda z, w, k: F.linear(z, w["dense.weight"], w["dense.bias"])),
    ("dense_rows", (3, 6), "z -> dense(4)", W("dense", (4, 6)), lambda z, w, k: F.linear(z, w["dense.weight"], w["dense.bias"])),
    ("conv", (3, 7, 8), "z -> conv(5, 3)", W("conv", (5, 3, 3, 3)), conv()),
    ("conv_stride", (2, 9, 8), "z -> conv(4, 3, stride=2, pad=1)", W("conv", (4, 2, 3, 3)), conv(stride=2, padding=1)),
    ("conv_unequal", (2, 9, 8), "z -> conv(3, [2, 3], stride=[3, 2], pad=[0, 2])", W("conv", (3, 2, 2, 3)), conv(stride=(3, 2), padding=(0, 2))),
    ("conv_dilation", (2, 9, 9), "z -> conv(3, 3, dilation=2, pad=1)", W("conv", (3, 2, 3, 3)), conv(dilation=2, padding=1)),
    ("conv_groups", (4, 6, 6), "z -> conv(6, 3, groups=2, pad=1)", W("conv", (6, 2, 3, 3)), conv(groups=2, padding=1)),
    ("conv_same", (2, 6, 6), 'z -> conv(3, 5, pad="same")', W("conv", (3, 2, 5, 5)), conv(padding=2)),
    ("conv_pad_value", (2, 5, 5), "z -> conv(3, 3, pad=1, pad_value=-1)", W("conv", (3, 2, 3, 3)),
     lambda z, w, k: F.conv2d(F.pad(z, (1, 1, 1, 1), value=-1), w["conv.weight"], w["conv.bias"])),
    ("conv1d", (3, 11), "z -> conv(4, 3, stride=2, pad=1)", W("conv", (4, 3, 3)),
     lambda z, w, k: F.conv1d(z, w["conv.weight"], w["conv.bias"], stride=2, padding=1)),
    ("conv_transpose", (3, 4, 5), "z -> conv_transpose(2, 3, stride=2, pad=1)", T((3, 2, 3, 3)),
     lambda z, w, k: F.conv_transpose2d(z, w["conv_transpose.weight"], w["conv_transpose.bias"], stride=2, padding=1)),
    ("conv_transpose1d", (3, 6), "z -> conv_transpose(4, 4, stride=2, pad=1)", T((3, 4, 4)),
     lambda z, w, k: F.conv_transpose1d(z, w["conv_transpose.weight"], w["conv_transpose.bias"], stride=2, padding=1)),
    ("depthwise", (5, 7, 7), "z -> depthwise(3, stride=2, pad=1)", W("depthwise", (5, 1, 3, 3)),
     lambda z, w, k: F.conv2d(z, w["depthwise.weight"], w["depthwise.bias"], stride=2, padding=1, groups=5)),
    ("maxpool", (3, 6, 8), "z -> maxpool(2)", {}, lambda z, w, k: F.max_pool2d(z, 2)),
    ("maxpool_over", (2, 7, 7), "z -> maxpool(3, stride=2, pad=1)", {}, lambda z, w, k: F.max_pool2d(z, 3, 2, 1)),
    ("maxpool1d", (3, 9), "z -> maxpool(3, stride=1)", {}, lambda z, w, k: F.max_pool1d(z, 3, 1)),
    ("avgpool", (3, 6, 8), "z -> avgpool(2)", {}, lambda z, w, k: F.avg_pool2d(z, 2)),
    ("avgpool_over", (2, 7, 7), "z -> avgpool(3, stride=2, pad=1)", {}, lambda z, w, k: F.avg_pool2d(z, 3, 2, 1)),
    ("avgpool1d", (3, 9), "z -> avgpool(3)", {}, lambda z, w, k: F.avg_pool1d(z, 3)),
    ("global_avgpool", (5, 3, 4), "z -> global_avgpool", {}, lambda z, w, k: z.mean((2, 3))),
    ("flatten", (2, 3, 4), "z -> flatten", {}, lambda z, w, k: z.flatten(1)),
    ("batchnorm", (4,), "z -> batchnorm", NORM(4), batchnorm),
    ("batchnorm2d", (3, 4, 5), "z -> batchnorm", NORM(3), batchnorm),
    ("layernorm", (3, 8), "z -> layernorm", W("layernorm", (8,), False) | {"layernorm.bias": (8,)},
     lambda z, w, k: F.layer_norm(z, (8,), w["layernorm.weight"], w["layernorm.bias"])),
    ("groupnorm", (6, 3, 4), "z -> groupnorm(2)", *module("groupnorm", torch.nn.GroupNorm(2, 6))),
    ("rmsnorm", (3, 8), "z -> rmsnorm", {"rmsnorm.weight": (8,)},
     lambda z, w, k: z * torch.rsqrt((z * z).mean(-1, keepdim=True) + 1e-6) * w["rmsnorm.weight"]),
    ("embedding", (5,), "embedding(k, 6, 5) * z", {"embedding.weight": (6, 5)}, lambda z, w, k: F.embedding(k, w["embedding.weight"]) * z),
    ("attention", (5, 8), "z -> attention(2)", *module("attention", attention(8, 2), lambda a, z: a(z, z, z)[0])),
    ("attention_causal", (5, 6), "z -> attention(3, causal=true)",
     *module("attention", attention(6, 3), lambda a, z: a(z, z, z, attn_mask=causal(5))[0])),
    ("attention_mask", (4, 6), "z -> attention(2, mask=iota(4) != 2)",
     *module("attention", attention(6, 2), lambda a, z: a(z, z, z, key_padding_mask=torch.arange(4).expand(BATCH, 4) == 2)[0])),
    ("attention_cross", (4, 6), "z -> attention(2, z[1:4] * 2)",
     *module("attention", attention(6, 2), lambda a, z: a(z, z[:, 1:4] * 2, z[:, 1:4] * 2)[0])),
    ("attention_other", (3, 6), "z -> attention(2, transpose(z, [1, 0]))",
     *module("attention", attention(6, 2, kdim=3, vdim=3), lambda a, z: a(z, z.mT, z.mT)[0])),
    ("attention_grouped", (5, 8), "z -> attention(4, kv_heads=2, rotary=10000, causal=true, bias=false)",
     {"attention.in_proj_weight": (16, 8), "attention.out_proj.weight": (8, 8)}, grouped),
    ("positions", (5, 6), "z -> sinusoidal_positions", {}, sinusoidal),
    ("swiglu", (3, 7), "z -> swiglu(9)", {"swiglu.%s_proj.weight" % n: s for n, s in (("gate", (9, 7)), ("up", (9, 7)), ("down", (7, 9)))},
     lambda z, w, k: (F.silu(z @ w["swiglu.gate_proj.weight"].T) * (z @ w["swiglu.up_proj.weight"].T)) @ w["swiglu.down_proj.weight"].T),
    ("encoder", (3, 6), "z -> encoder_layer(2, 9, dropout=0)", *module("encoder_layer", coder("Encoder", 6, 2, 9))),
    ("encoder_pre", (3, 6), 'z -> encoder_layer(3, 9, dropout=0, activation="gelu", norm_first=true, causal=true)',
     *module("encoder_layer", coder("Encoder", 6, 3, 9, activation="gelu", norm_first=True), lambda a, z: a(z, src_mask=causal(3)))),
    ("decoder", (3, 6), 'z -> decoder_layer(z[0:2] * 2, 2, 9, dropout=0, activation="gelu")',
     *module("decoder_layer", coder("Decoder", 6, 2, 9, activation="gelu"), lambda a, z: a(z, z[:, 0:2] * 2, tgt_mask=causal(3)))),
    ("decoder_pre", (3, 6), "z -> decoder_layer(z[0:2] * 2, 2, 9, dropout=0, norm_first=true)",
     *module("decoder_layer", coder("Decoder", 6, 2, 9, norm_first=True), lambda a, z: a(z, z[:, 0:2] * 2, tgt_mask=causal(3)))),
    ("rnn", (5, 3), "z -> rnn(4)", *recurrent("RNN", 3, 4)),
    ("rnn_relu", (4, 3), "z -> rnn(4, relu=true, bias=false, layers=2)", *recurrent("RNN", 3, 4, nonlinearity="relu", bias=False, num_layers=2)),
    ("lstm", (5, 3), "z -> lstm(4)", *recurrent("LSTM", 3, 4)),
    ("lstm_state", (3, 4), "z -> lstm(4, z[0], z[1])", *recurrent("LSTM", 4, 4, first=lambda z: (z[:, 0][None], z[:, 1][None]))),
    ("lstm_stacked", (4, 2), "z hs, h, c = z -> lstm(3, layers=2, bidirectional=true) y = concat([reshape(hs, [8, 3]), h, c], axis=0)",
     *recurrent("LSTM", 2, 3, lambda hs, last: torch.cat([hs.reshape(BATCH, 8, 3), *(x.transpose(0, 1) for x in last)], 1),
                num_layers=2, bidirectional=True)),
    ("gru", (5, 3), "z -> gru(4)", *recurrent("GRU", 3, 4)),
    ("gru_stacked", (4, 3), "z hs, h = z -> gru(3, z[0:2], layers=2) y = concat([hs, h], axis=0)",
     *recurrent("GRU", 3, 3, lambda hs, last: torch.cat([hs, last.transpose(0, 1)], 1), lambda z: z[:, 0:2].transpose(0, 1).contiguous(), num_layers=2)),
    ("gru_reverse", (4, 3), "z -> gru(3, bidirectional=true, bias=false)", *recurrent("GRU", 3, 3, bidirectional=True, bias=False)),
    ("scale", (5,), "z -> scale(1/255)", {}, lambda z, w, k: z / 255),
    ("relu", (9,), "z -> relu", {}, lambda z, w, k: F.relu(z)),
    ("leaky_relu", (9,), "z -> leaky_relu(0.2)", {}, lambda z, w, k: F.leaky_relu(z, 0.2)),
    ("elu", (9,), "z -> elu", {}, lambda z, w, k: F.elu(z)),
    ("gelu", (9,), "z -> gelu", {}, lambda z, w, k: F.gelu(z)),
    ("gelu_tanh", (9,), 'z -> gelu("tanh")', {}, lambda z, w, k: F.gelu(z, approximate="tanh")),
    ("silu", (9,), "z -> silu", {}, lambda z, w, k: F.silu(z)),
    ("softplus", (9,), "z -> softplus", {}, lambda z, w, k: F.softplus(z)),
    ("sigmoid", (9,), "z -> sigmoid", {}, lambda z, w, k: torch.sigmoid(z)),
    ("log_sigmoid", (9,), "z -> log_sigmoid", {}, lambda z, w, k: F.logsigmoid(z)),
    ("hard_sigmoid", (9,), "4 * z + 0.03 -> hard_sigmoid", {}, lambda z, w, k: torch.clamp((4 * z + 0.03) / 6 + 0.5, 0, 1)),
    ("tanh", (9,), "z -> tanh", {}, lambda z, w, k: torch.tanh(z)),
    ("hard_tanh", (9,), "1.03 * z + 0.01 -> hard_tanh", {}, lambda z, w, k: F.hardtanh(1.03 * z + 0.01)),
    ("softsign", (9,), "z -> softsign", {}, lambda z, w, k: F.softsign(z)),
    ("relu6", (9,), "8 * z + 0.05 -> relu6", {}, lambda z, w, k: F.relu6(8 * z + 0.05)),
    ("softmax", (3, 7), "z -> softmax", {}, lambda z, w, k: F.softmax(z, -1)),
    ("log_softmax", (3, 7), "z -> log_softmax", {}, lambda z, w, k: F.log_softmax(z, -1)),
    ("mse", (5,), "mse(z, x * 0.5)", {}, lambda z, w, k: ((z - w["x"] * 0.5) ** 2)),
    ("mae", (5,), "mae(z, x * 0.5)", {}, lambda z, w, k: (z - w["x"] * 0.5).abs()),
    ("huber", (5,), "huber(3 * z, x * 0.5)", {}, lambda z, w, k: F.huber_loss(3 * z, w["x"] * 0.5, reduction="none")),
    ("cross_entropy", (6,), "cross_entropy(z, k)", {}, lambda z, w, k: F.cross_entropy(z, k, reduction="none")),
    ("binary_cross_entropy", (5,), "binary_cross_entropy(sigmoid(z), x * x)", {},
     lambda z, w, k: F.binary_cross_entropy(torch.sigmoid(z), w["x"] ** 2, reduction="none")),
    ("bce_logits", (5,), "bce_logits(z, x * x)", {},
     lambda z, w, k: F.binary_cross_entropy_with_logits(z, w["x"] ** 2, reduction="none")),
    ("hinge", (5,), "hinge(z, 2 * (x > 0) - 1)", {},
     lambda z, w, k: torch.clamp(1 - z * (2.0 * (w["x"] > 0) - 1), min=0)),
    ("cross_entropy_smooth", (6,), "cross_entropy(z, k, smoothing=0.2)", {},
     lambda z, w, k: F.cross_entropy(z, k, reduction="none", label_smoothing=0.2)),
    # the mean over what is not ignored, shared out among the samples by what each gives to it
    ("cross_entropy_ignore", (6,), "cross_entropy(z, k, smoothing=0.1, ignore=5)", {},
     lambda z, w, k: (lambda each: each / each.sum() * BATCH * F.cross_entropy(z, k, label_smoothing=0.1, ignore_index=5))(
         F.cross_entropy(z, k, reduction="none", label_smoothing=0.1, ignore_index=5))),
    ("logistic_critic", (5,), "logistic_critic(z, 0.3 - z)", {}, lambda z, w, k:
     F.binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="none")
     + F.binary_cross_entropy_with_logits(0.3 - z, torch.zeros_like(z), reduction="none")),
    ("logistic_maker", (5,), "logistic_maker(z)", {}, lambda z, w, k: F.binary_cross_entropy_with_logits(z, torch.ones_like(z), reduction="none")),
    ("hinge_critic", (5,), "hinge_critic(3 * z + 0.01, 2 * z)", {}, lambda z, w, k: F.relu(1 - (3 * z + 0.01)) + F.relu(1 + 2 * z)),
    ("wasserstein", (5,), "wasserstein_critic(z * z, 3 * z) + hinge_maker(z) + wasserstein_maker(2 * z)", {}, lambda z, w, k: 3 * z - z * z - z - 2 * z),
    ("kl_normal", (5,), "kl_normal(z, x + 0.5 * z)", {}, lambda z, w, k: torch.distributions.kl_divergence(
        torch.distributions.Normal(z, torch.exp((w["x"] + 0.5 * z) / 2)), torch.distributions.Normal(torch.zeros_like(z), torch.ones_like(z))).sum(-1)),
]


def numbers(kind, name, t):
    print(kind, name, t.numel(), *("%.12g" % v if abs(v * 16 - round(v * 16)) > 0 else "%g" % v for v in t.detach().flatten().tolist()))


def write(name, shape, expression, parameters, f):
    random.seed(name)
    x, p, k = grid((BATCH,) + shape), grid(shape), torch.tensor([random.randrange(6) for _ in range(BATCH)])
    w = {n: grid(s, 4, 24) if n.endswith(("_var", "norm.weight")) else grid(s) for n, s in parameters.items()}
    learnt = {n: t for n, t in {"p": p, **w}.items() if "running" not in n}
    for t in learnt.values():
        t.requires_grad_()
    print("case", name)
    print("shape", ", ".join(str(d) for d in shape))
    print("expression", expression)
    numbers("leaf", "x", x)
    numbers("leaf", "k", k.double())
    for n, t in {"p": p, **w}.items():
        numbers("leaf", n, t)
    numbers("output", "y", f(x + p, {**w, "x": x, "training": False}, k))
    y = f(x + p, {**w, "x": x, "training": True}, k)
    loss = (y * y).mean() + y.mean()
    numbers("loss", "loss", loss)
    for (n, t), g in zip(learnt.items(), torch.autograd.grad(loss, learnt.values())):
        numbers("gradient", n, g)
    print()


print("# Made by tests/reference/blocks.py with PyTorch %s." % torch.__version__)
for case in CASES:
    write(*case)
