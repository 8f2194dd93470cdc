/* programs.h -- the programs that the language promises to compile, as people write them. */
#ifndef TEST_PROGRAMS_H
#define TEST_PROGRAMS_H

static const char tiny[] =
    "# The founding example: five points, two features, one probability.\n"
    "net tiny {\n"
    "    input x : f32[2]\n"
    "    input y : f32[1]\n"
    "\n"
    "    p = x -> dense(3) -> sigmoid -> dense(1) -> sigmoid\n"
    "\n"
    "    output p\n"
    "    loss   binary_cross_entropy(p, y)\n"
    "    metric binary_accuracy(p, y)\n"
    "}\n"
    "\n"
    "train tiny {\n"
    "    optimizer = adam(rate=1e-3)\n"
    "    batch     = 2\n"
    "    epochs    = 1000\n"
    "    seed      = 42\n"
    "}\n";

static const char lenet5[] =
    "net lenet5 {\n"
    "    input image : u8[1, 28, 28]\n"
    "    input digit : i32 in 0..10\n"
    "\n"
    "    logits = image -> cast(f32) -> scale(1/255)\n"
    "        -> conv(6, 5, pad=2) -> tanh -> avgpool(2)\n"
    "        -> conv(16, 5)       -> tanh -> avgpool(2)\n"
    "        -> flatten -> dense(120) -> tanh -> dense(84) -> tanh -> dense(10) as head\n"
    "\n"
    "    output probs = softmax(logits)\n"
    "    loss   cross_entropy(logits, digit)\n"
    "    metric accuracy(logits, digit)\n"
    "}\n";

static const char resnet18[] =
    "block basic(x, channels, stride=1) {\n"
    "    shortcut = x\n"
    "    if stride > 1 or x.shape[0] != channels {\n"
    "        shortcut = x -> conv(channels, 1, stride=stride, bias=false) -> batchnorm\n"
    "    }\n"
    "    y = x -> conv(channels, 3, stride=stride, pad=1, bias=false) -> batchnorm -> relu\n"
    "          -> conv(channels, 3, pad=1, bias=false) -> batchnorm\n"
    "    return relu(y + shortcut)\n"
    "}\n"
    "\n"
    "net resnet18 {\n"
    "    input image : f32[3, 224, 224]\n"
    "    x = image -> conv(64, 7, stride=2, pad=3, bias=false) -> batchnorm -> relu\n"
    "              -> maxpool(3, stride=2, pad=1)\n"
    "    for i in 0..4 {\n"
    "        x = x -> basic(64 * 2^i, stride = i > 0 ? 2 : 1) as layer[i, 0]\n"
    "              -> basic(64 * 2^i)                         as layer[i, 1]\n"
    "    }\n"
    "    output logits = x -> global_avgpool -> dense(1000) as fc\n"
    "}\n";

static const char charlm[] =
    "# A recurrent cell by hand: the prelude's lstm is written the same way.\n"
    "block my_rnn(xs, hidden) {\n"
    "    h = zeros(hidden)\n"
    "    hs = scan x in xs {                       # over the leading axis; h is carried because it is rebound\n"
    "        h = tanh(dense(x, hidden) + dense(h, hidden, bias=false))\n"
    "        yield h                               # stacked: hs is [T, hidden]; h is the last state\n"
    "    }\n"
    "    return hs, h\n"
    "}\n"
    "\n"
    "const vocab = 65, context = 64                # netc -D context=128 overrides\n"
    "\n"
    "net charlm {\n"
    "    input text : i32[context] in 0..vocab\n"
    "    input next : i32[context] in 0..vocab\n"
    "    state h = zeros(128)                      # kept between calls: streaming, and truncated BPTT\n"
    "    state c = zeros(128)\n"
    "    hs, h, c = text -> embedding(vocab, 64) -> lstm(128, h, c)\n"
    "    output logits = hs -> dense(vocab)\n"
    "    loss cross_entropy(logits, next)\n"
    "}\n";

static const char gpt[] =
    "block transformer(x, heads) {\n"
    "    x = x + (x -> layernorm -> attention(heads, causal=true))\n"
    "    return x + (x -> layernorm -> dense(4 * x.shape[1]) -> gelu -> dense(x.shape[1]))\n"
    "}\n"
    "\n"
    "const vocab = 65, context = 64, width = 128, layers = 4, heads = 4\n"
    "\n"
    "net gpt {\n"
    "    input text : i32[context] in 0..vocab\n"
    "    input next : i32[context] in 0..vocab\n"
    "    param position : f32[context, width] = normal(0, 0.02)\n"
    "    x = embedding(text, vocab, width) + position\n"
    "    for i in 0..layers { x = x -> dropout(0.1) -> transformer(heads) as h[i] }\n"
    "    output logits = x -> layernorm -> dense(vocab, bias=false)\n"
    "    loss cross_entropy(logits, next)\n"
    "}\n"
    "\n"
    "train gpt {\n"
    "    optimizer = adamw(rate=cosine(1e-3, warmup=100, to=1e-4), decay=0.1)\n"
    "    clip      = 1.0\n"
    "    batch     = 12\n"
    "    steps     = 2000\n"
    "    seed      = 1337\n"
    "}\n";

static const char gan[] =
    "# Two nets against each other. Each loss updates the parameters of the nets it names.\n"
    "net generator     { input z : f32[64]   output x = z -> dense(128) -> relu -> dense(784) -> tanh }\n"
    "net discriminator { input x : f32[784]  output p = x -> dense(128) -> leaky_relu(0.2) -> dense(1) }\n"
    "\n"
    "net gan {\n"
    "    input real : f32[784]\n"
    "    fake = generator(random_normal(64))\n"
    "    loss d = bce_logits(discriminator(real), 1) + bce_logits(discriminator(stop_gradient(fake)), 0)\n"
    "         updates discriminator\n"
    "    loss g = bce_logits(discriminator(fake), 1)\n"
    "         updates generator\n"
    "    output fake\n"
    "}\n";

static const char *const programs[] = {tiny, lenet5, resnet18, charlm, gpt, gan};

#endif
