"""contest_torch.py -- PyTorch as a contestant; and what gives all others their weights, inputs and expected results.
usage: contest_torch.py NAME DIR THREADS HOW      HOW: eager, last (channels last), script; step, step-last, step-script
       contest_torch.py NAME DIR export | export-step"""
import json, sys, time
import numpy as np, torch
import torch.nn.functional as F
from models import STEPS, build, optimizer, samples


def save_weights(net, path, names):
    """safetensors, under netc's names. netc lists names and shapes in the order of its text, as the modules here stand."""
    left, header, data = [(k.split(".")[-1], v) for k, v in net.state_dict().items()], {}, b""
    for name, shape in names:
        last = name.split(".")[-1]
        i = next(i for i, (k, v) in enumerate(left) if k == last and list(v.shape) == shape)
        raw = left.pop(i)[1].numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(len(text).to_bytes(8, "little") + text + data)


def export(name, folder, names):
    net, x = build(name)
    save_weights(net, folder + "/weights.safetensors", names)
    with torch.no_grad():
        y, other = net(x), net(torch.rand_like(x))
    if not (y - other).abs().max() > 0.01 * y.abs().max():
        sys.exit("%s: the results hardly depend on the input, so they would prove little" % name)
    x.numpy().tofile(folder + "/input")
    y.numpy().tofile(folder + "/expected")
    torch.onnx.export(net, x, folder + "/net.onnx", opset_version=14, input_names=["input"], output_names=["output"])


def export_step(step, folder, names):
    save_weights(build(STEPS[step][0], False)[0], folder + "/weights.safetensors", names)
    x, y = samples(step)
    (x.numpy().astype("<i4") if x.dtype == torch.int64 else x.numpy()).tofile(folder + "/input")
    y.numpy().astype("<i4").tofile(folder + "/labels")
    open(folder + "/losses", "w").write(step_call(step, "step")[1])


def last(*things):
    return [t.to(memory_format=torch.channels_last) for t in things]


def forward_call(name, folder, how):
    net, x = build(name)
    if how == "last":
        net, x = last(net, x)
    if how == "script":
        net = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
    expected = np.fromfile(folder + "/expected", "<f4")
    worst = np.abs(net(x).numpy().ravel() - expected).max() / np.abs(expected).max()
    return (lambda: net(x)), "%g" % worst


def step_call(step, how):
    net = build(STEPS[step][0], False)[0].train()
    x, y = samples(step)
    if how == "step-last":
        net, x = last(net, x)
    if how == "step-script":
        net = torch.jit.trace(net, x)
    update = optimizer(step, net.parameters(), 0.001)

    def call():
        update.zero_grad(set_to_none=True)
        loss = F.cross_entropy(net(x).flatten(0, -2), y.flatten())
        loss.backward()
        update.step()
        return loss
    losses = " ".join("%.7g" % call().item() for _ in range(10))
    update.param_groups[0]["lr"] = 1e-7
    return call, losses


def timed(call, calls, clock):
    start = clock()
    for _ in range(calls):
        call()
    return clock() - start


def contest(call, threads):
    """As contest.h has it."""
    calls, clock = 1, time.perf_counter
    for _ in range(5):
        call()
    while calls < 4096 and timed(call, calls, clock) < 20e-6:
        calls *= 2
    if threads == 1 and calls == 1 and timed(call, 1, clock) > 1e-3:
        clock = time.process_time
    for line in sys.stdin:
        end, t = time.perf_counter() + float(line), []
        call()
        while not t or time.perf_counter() < end:
            t.append(timed(call, calls, clock) / calls)
        t.sort()
        print("%.4f %.4f %d" % (1e6 * t[0], 1e6 * t[len(t) // 2], len(t)), flush=True)


def main():
    name, folder, *rest = sys.argv[1:]
    if rest[0].startswith("export"):
        torch.set_num_threads(1)
        {"export": export, "export-step": export_step}[rest[0]](name, folder, json.load(sys.stdin))
        return
    torch.set_num_threads(int(rest[0]))
    with torch.enable_grad() if rest[1].startswith("step") else torch.inference_mode():
        call, shown = step_call(name, rest[1]) if rest[1].startswith("step") else forward_call(name, folder, rest[1])
        print("ready", shown, torch.__version__, flush=True)
        contest(call, int(rest[0]))


main()
