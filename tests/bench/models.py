"""models.py -- the bench's nets in PyTorch, parameters in the order of the .net text; what is exported to the other peers."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def dense(*widths):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return layers[:-1]


def mlp(*widths):
    return nn.Sequential(*dense(*widths))


def lenet5():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), *dense(400, 120, 84, 10))


def cifar_cnn():
    def conv(a, b):
        return [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*conv(3, 32), *conv(32, 32), nn.MaxPool2d(2), *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),
                         *conv(64, 128), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2048, 10))


def cbr(a, b, kernel, stride=1, groups=1, bias=False, act=nn.ReLU):
    layers = [nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=bias), nn.BatchNorm2d(b)]
    return layers + ([act()] if act else [])


class Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut: of ResNet-8 with biases, of ResNet-18 without and with batchnorm on the shortcut."""
    def __init__(self, a, b, stride, bias):
        super().__init__()
        short = cbr(a, b, 1, stride, bias=bias, act=None)
        self.short = nn.Sequential(*(short[:1] if bias else short)) if stride > 1 or a != b else nn.Identity()
        self.body = nn.Sequential(*cbr(a, b, 3, stride, bias=bias), *cbr(b, b, 3, bias=bias, act=None))

    def forward(self, x):
        return F.relu(self.body(x) + self.short(x))


def resnet8():
    return nn.Sequential(*cbr(3, 16, 3, bias=True), Residual(16, 16, 1, True), Residual(16, 32, 2, True), Residual(32, 64, 2, True),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def resnet18():
    layers, a = cbr(3, 64, 7, 2) + [nn.MaxPool2d(3, 2, 1)], 64
    for i in range(4):
        b = 64 << i
        layers += [Residual(a, b, 2 if i else 1, False), Residual(b, b, 1, False)]
        a = b
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def mobilenet_v1():
    layers, a = cbr(3, 8, 3, 2), 8
    for b, stride in ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *[(128, 1)] * 5, (256, 2), (256, 1)):
        layers += cbr(a, a, 3, stride, a) + cbr(a, b, 1)
        a = b
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2))


class Inverted(nn.Module):
    def __init__(self, a, b, stride, expand):
        super().__init__()
        inner = a * expand
        wide = cbr(a, inner, 1, act=nn.ReLU6) if expand > 1 else []
        self.body = nn.Sequential(*wide, *cbr(inner, inner, 3, stride, inner, act=nn.ReLU6), *cbr(inner, b, 1, act=None))
        self.add = stride == 1 and a == b

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


def mobilenet_v2():
    layers, a = cbr(3, 32, 3, 2, act=nn.ReLU6), 32
    for expand, b, count, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(count):
            layers.append(Inverted(a, b, 1 if i else stride, expand))
            a = b
    return nn.Sequential(*layers, *cbr(320, 1280, 1, act=nn.ReLU6), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def ds_cnn():
    layers = [nn.Conv2d(1, 64, (10, 4), 2, (5, 1)), nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        layers += cbr(64, 64, 3, groups=64, bias=True) + cbr(64, 64, 1, bias=True)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


def ad_autoencoder():
    widths, layers = (640, 128, 128, 128, 128, 8, 128, 128, 128, 128), []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 640))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.r = kind(64, 128)

    def forward(self, x):
        return self.r(x)[0]


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) / width ** 0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).view(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5
        if self.causal:
            scores = scores + torch.full((t, t), -1e30).triu(1)
        return self.out_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, width))


class Layer(nn.Module):
    """Of an encoder, normalised behind; of a GPT, causal and normalised before."""
    def __init__(self, width, heads, hidden, gpt):
        super().__init__()
        self.gpt = gpt
        parts = [("self_attn", Attention(width, heads, gpt)), ("norm1", nn.LayerNorm(width)), ("linear1", nn.Linear(width, hidden)),
                 ("linear2", nn.Linear(hidden, width)), ("norm2", nn.LayerNorm(width))]
        for i in (1, 0, 4, 2, 3) if gpt else range(5):         # as the .net text names them
            self.add_module(*parts[i])

    def forward(self, x):
        if self.gpt:
            x = x + self.self_attn(self.norm1(x))
            return x + self.linear2(F.gelu(self.linear1(self.norm2(x))))
        x = self.norm1(x + self.self_attn(x))
        return self.norm2(x + self.linear2(F.relu(self.linear1(x))))


class Words(nn.Module):
    """Whole numbers to numbers for each word, by what stands between and, if tied, by the table of words once more."""
    def __init__(self, width, places, *between, words=65, tied=False):
        super().__init__()
        self.words, self.tied = nn.Embedding(words, width), tied
        if tied:
            nn.init.normal_(self.words.weight, 0, 0.02)
        self.places = nn.Parameter(torch.randn(places, width)) if places else None
        self.between = nn.ModuleList(between)

    def state_dict(self):
        named = super().state_dict()
        return {"places.weight" if k == "places" else k: named[k] for k in sorted(named, key=lambda k: (k != "words.weight", k != "places"))}

    def forward(self, text):
        x = self.words(text) if self.places is None else self.words(text) + self.places
        for part in self.between:
            x = part(x)
            x = x[0] if isinstance(x, tuple) else x
        return F.linear(x, self.words.weight) if self.tied else x


# name: the net, the shape of its input, whether probabilities come out
MODELS = {
    "iris": (lambda: mlp(4, 16, 16, 3), (1, 4), True),
    "mlp_mnist": (lambda: mlp(784, 256, 128, 10), (1, 784), True),
    "lenet5": (lenet5, (1, 1, 28, 28), True),
    "ds_cnn": (ds_cnn, (1, 1, 49, 10), True),
    "resnet8": (resnet8, (1, 3, 32, 32), True),
    "cifar_cnn": (cifar_cnn, (1, 3, 32, 32), True),
    "mobilenet_v1": (mobilenet_v1, (1, 3, 96, 96), True),
    "ad_autoencoder": (ad_autoencoder, (1, 640), False),
    "mobilenet_v2": (mobilenet_v2, (1, 3, 224, 224), False),
    "resnet18": (resnet18, (1, 3, 224, 224), False),
    "lstm": (lambda: Recurrent(nn.LSTM), (100, 1, 64), False),
    "gru": (lambda: Recurrent(nn.GRU), (100, 1, 64), False),
    "rnn": (lambda: Recurrent(nn.RNN), (100, 1, 64), False),
    "encoder": (lambda: nn.Sequential(*[Layer(128, 4, 512, False) for _ in range(2)]), (1, 64, 128), False),
    "gpt": (lambda: nn.Sequential(*[Layer(384, 6, 1536, True) for _ in range(6)]), (1, 256, 384), False),
    "char_lstm": (lambda: Words(64, 0, nn.LSTM(64, 128, batch_first=True), nn.Linear(128, 65)), (1, 64), False),
    "small_gpt": (lambda: Words(128, 64, *[Layer(128, 4, 512, True) for _ in range(4)], nn.LayerNorm(128), nn.Linear(128, 65)), (1, 64), False),
    "gpt2": (lambda: Words(768, 64, *[Layer(768, 12, 3072, True) for _ in range(12)], nn.LayerNorm(768), words=50257, tied=True), (1, 64), False),
}

# name: the net, the batch, the number of classes, the optimiser
STEPS = {
    "mlp_mnist": ("mlp_mnist", 32, 10, "sgd"),
    "lenet5": ("lenet5", 64, 10, "sgd"),
    "cifar_cnn": ("cifar_cnn", 32, 10, "sgd"),
    "char_lstm": ("char_lstm", 32, 65, "adamw"),
    "small_gpt": ("small_gpt", 12, 65, "adamw"),
    "gpt2": ("gpt2", 4, 50257, "adamw"),
}


def build(name, probabilities=True):
    """The net with its weights and statistics, the same ones every time, and an input."""
    make, shape, softmax = MODELS[name]
    torch.manual_seed(1234)
    net = make()
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.75, 1.25)
        elif isinstance(m, (nn.Conv2d, nn.Linear)):      # so that results depend on the input, however deep the net
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
    if softmax and probabilities:
        net = nn.Sequential(net, nn.Softmax(dim=-1))
    return net.eval(), torch.randn(shape, generator=torch.Generator().manual_seed(7))


def samples(step):
    """What a training step learns from."""
    net, batch, classes, _ = STEPS[step]
    g = torch.Generator().manual_seed(8)
    if MODELS[net][0]().__class__ is Words:
        x = torch.randint(0, classes, (batch,) + MODELS[net][1][1:], generator=g)
        return x, x.roll(-1, 1)
    return torch.randn((batch,) + MODELS[net][1][1:], generator=g), torch.randint(0, classes, (batch,), generator=g)


def optimizer(step, parameters, rate):
    return {"sgd": lambda: torch.optim.SGD(parameters, lr=rate, foreach=True),
            "adamw": lambda: torch.optim.AdamW(parameters, lr=rate, foreach=True)}[STEPS[step][3]]()
