"""Whole nets in PyTorch: outputs, loss, gradients and ten steps of AdamW, in double, one safetensors file for each .net file here.

Run with a python3 that has torch (Debian: python3-torch):  python3 tests/reference/nets.py
A file NAME.safetensors has the weights under their names (a state_dict), the inputs as "input.NAME", what inference gives as
"output.NAME", the loss of each step as "losses", and the gradients of the first as "gradient.NAME".
"""
import json
import os
import struct
import torch
from torch import nn
import torch.nn.functional as F

BATCH, STEPS, WIDTH, HEADS, PLACES, TOKENS = 3, 10, 16, 2, 8, 11
torch.set_default_dtype(torch.float64)


class Recurrent(nn.Module):
    def __init__(self, name, **o):
        super().__init__()
        self.add_module(name, getattr(nn, name.upper())(5, 8, num_layers=2, batch_first=True, **o))
        self.head = nn.Linear(16 if o else 8, 4)
        self.name = name

    def forward(self, x):
        return self.head(getattr(self, self.name)(x)[0])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.other_attn = nn.MultiheadAttention(WIDTH, HEADS, kdim=6, vdim=6, batch_first=True)

    def forward(self, x, memory):
        x = x + self.self_attn(x, x, x, attn_mask=later(PLACES))[0]
        return x + self.other_attn(x, memory, memory)[0]


class Layernorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.layernorm, self.head = nn.Linear(6, WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4)

    def forward(self, x):
        return self.head(self.layernorm(self.dense(x)))


class Gelu(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense, self.dense_1, self.head = nn.Linear(6, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 4)

    def forward(self, x):
        return self.head(F.gelu(self.dense_1(F.gelu(self.dense(x))), approximate="tanh"))


def layers(**o):
    return nn.ModuleList([nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0, "gelu", batch_first=True, **o) for _ in range(2)])


def later(n):
    return torch.ones(n, n).triu(1).bool()


class Gpt(nn.Module):
    """Norms before each part; the output has the weights of the embedding."""
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(TOKENS, WIDTH), nn.Embedding(PLACES, WIDTH)
        self.h, self.ln_f = layers(norm_first=True), nn.LayerNorm(WIDTH)

    def forward(self, text):
        x = self.wte(text) + self.wpe.weight
        for layer in self.h:
            x = layer(x, src_mask=later(PLACES))
        return self.ln_f(x) @ self.wte.weight.T


class Bert(nn.Module):
    """Norms behind each part; looks at the first `length` tokens; guesses those that were hidden."""
    def __init__(self):
        super().__init__()
        self.word, self.place, self.part = nn.Embedding(TOKENS, WIDTH), nn.Embedding(PLACES, WIDTH), nn.Embedding(2, WIDTH)
        self.norm, self.layer = nn.LayerNorm(WIDTH), layers()
        self.transform, self.transform_norm, self.head = nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, TOKENS)

    def forward(self, text, part, length):
        x = self.norm(self.word(text) + self.place.weight + self.part(part))
        for layer in self.layer:
            x = layer(x, src_key_padding_mask=torch.arange(PLACES) >= length[:, None])
        return self.head(self.transform_norm(F.gelu(self.transform(x))))


def real(*shape):
    return torch.randn(BATCH, *shape).float().double()


def whole(high, low=0):
    return torch.randint(low, high, (BATCH, PLACES))


def mse(result, y):
    return F.mse_loss(result, y)


def guess(result, y):
    return F.cross_entropy(result.flatten(0, 1), y.flatten(), ignore_index=-1)


#   name         the net, the inputs that it takes, the one that the loss alone takes, the loss
NETS = {
    "lstm": lambda: (Recurrent("lstm"), {"x": real(PLACES, 5)}, {"y": real(PLACES, 4)}, mse),
    "gru": lambda: (Recurrent("gru", bidirectional=True), {"x": real(PLACES, 5)}, {"y": real(PLACES, 4)}, mse),
    "attention": lambda: (Attention(), {"x": real(PLACES, WIDTH), "memory": real(5, 6)}, {"y": real(PLACES, WIDTH)}, mse),
    "layernorm": lambda: (Layernorm(), {"x": real(PLACES, 6)}, {"y": real(PLACES, 4)}, mse),
    "gelu": lambda: (Gelu(), {"x": real(PLACES, 6)}, {"y": real(PLACES, 4)}, mse),
    "gpt": lambda: (Gpt(), {"text": whole(TOKENS)}, {"next": whole(TOKENS)}, guess),
    "bert": lambda: (Bert(), {"text": whole(TOKENS), "part": whole(2), "length": torch.tensor([8, 5, 1])},
                     {"hidden": torch.where(torch.rand(BATCH, PLACES) < 0.5, whole(TOKENS), -1)}, guess),
}


def write(path, tensors):
    """The format: eight bytes of the header's size, the header, the elements."""
    header, data = {}, b""
    for name, t in tensors.items():
        kind = {torch.float32: "F32", torch.float64: "F64", torch.int32: "I32"}[t.dtype]
        content = t.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": kind, "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def reference(make):
    torch.manual_seed(1)
    net, inputs, wanted, loss_of = make()
    with torch.no_grad():
        for p in net.parameters():                       # none is 0 or 1, and all are exact in 32 bits
            p.copy_((p + 0.1 * torch.randn_like(p)).float().double())
    tensors = {n: p.detach().clone().float() for n, p in net.named_parameters()}
    for n, t in {**inputs, **wanted}.items():
        tensors["input." + n] = t.float() if t.is_floating_point() else t.int()
    optimizer, losses = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.1), []
    for step in range(STEPS):
        optimizer.zero_grad()
        result = net(*inputs.values())
        loss = loss_of(result, *wanted.values())
        loss.backward()
        if step == 0:
            tensors["output.p"] = result.clone()
            tensors.update({"gradient." + n: p.grad.clone() for n, p in net.named_parameters()})
        optimizer.step()
        losses.append(loss.item())
    tensors["losses"] = torch.tensor(losses)
    return tensors


for name, make in NETS.items():
    write(os.path.join(os.path.dirname(__file__), name + ".safetensors"), reference(make))
