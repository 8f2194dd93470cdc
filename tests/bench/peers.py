"""peers.py -- the bench against others: the same nets with the same weights in netc, ONNX Runtime and PyTorch, whichever are here.
usage: peers.py [--rounds N] [--core N] [--only REGEX] [--json FILE]

Environment: B (build), CC (cc), ORT (a folder in which libonnxruntime.so is found). This python must have torch, which makes the
weights and the ONNX files. Every contestant is a process that first shows its results, which are compared, and then waits.
The referee lets them work in turn, a slice of time each, round after round; the least and the median of each are kept."""
import argparse, json, math, os, re, shutil, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
B = os.path.abspath(os.environ.get("B", "build"))
T = os.path.join(B, "tests", "bench")
CC = os.environ.get("CC", "cc").split()
WIDE = os.path.exists("/proc/cpuinfo") and "avx512f" in open("/proc/cpuinfo").read()
TUNED = {"OPENBLAS_CORETYPE": "SkylakeX" if WIDE else "Haswell", "ATEN_CPU_CAPABILITY": "avx512" if WIDE else "avx2", "MALLOC_MMAP_THRESHOLD_": "4294967296",
         "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "134217728"}
OURS, STEPS = HERE + "/nets.net", HERE + "/steps.net"
ZOO = "examples/zoo/"

# what is measured: the net, its file, whether a training step, how many times as fast as the best peer it should be on one thread
ROWS = [("iris", "examples/iris/iris.net", False, 20), ("mlp_mnist", OURS, False, 1.9), ("lenet5", OURS, False, 2.3),
        ("ds_cnn", ZOO + "ds_cnn.net", False, 1.4), ("resnet8", ZOO + "resnet8.net", False, 1.5), ("cifar_cnn", OURS, False, 2.6),
        ("mobilenet_v1", ZOO + "mobilenet_v1.net", False, 1.4), ("ad_autoencoder", ZOO + "ad_autoencoder.net", False, 1.8),
        ("mobilenet_v2", ZOO + "mobilenet_v2.net", False, 1.15), ("resnet18", ZOO + "resnet18.net", False, 1.6),
        ("lstm", OURS, False, 1.4), ("gru", OURS, False, 1.7), ("rnn", OURS, False, 3),
        ("encoder", OURS, False, 1.4), ("gpt", OURS, False, 1.15),
        ("mlp_mnist", OURS, True, 2.2), ("lenet5", OURS, True, 3), ("cifar_cnn", OURS, True, 3),
        ("char_lstm", STEPS, True, 2), ("small_gpt", STEPS, True, 1.5), ("gpt2", STEPS, True, 1.6)]
SLOW = {"gpt2"}                                        # measured where --only names them
THREE = {"cifar_cnn", "resnet8", "resnet18"}          # nets whose 3x3 convolutions netc makes by Winograd's method


PEERS = ["ONNX Runtime", "PyTorch"]
TOLERANCE = 2e-3                                      # of the largest number; of each loss


class Wrong(Exception):
    pass


class Contestant:
    """A process of one peer, on one core or free to use two."""
    def __init__(self, peer, how, threads, command, env, core):
        self.peer, self.how, self.threads, self.least, self.medians = peer, how, threads, float("inf"), []
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads), PYTHONWARNINGS="ignore", **env)
        pin = (lambda: os.sched_setaffinity(0, {core})) if threads == 1 else None
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=pin)

    def answer(self):
        line = self.process.stdout.readline().split()
        if not line:
            raise Wrong("%s %s ended early" % (self.peer, self.how))
        return line

    def ready(self, row):
        self.shown = self.answer()[1:]
        row.judge(self)

    def work(self, seconds):
        self.process.stdin.write("%g\n" % seconds)
        self.process.stdin.flush()
        least, median, _ = map(float, self.answer())
        self.least = min(self.least, least)
        self.medians.append(median)
        time.sleep(0.01)          # threads of its own that wait for work go to sleep

    def median(self):
        return sorted(self.medians)[len(self.medians) // 2]

    def leave(self):
        self.process.stdin.close()
        self.process.wait()


class Row:
    """One net, forward or a training step, with so many threads."""
    def __init__(self, name, file, bar, step, threads, core):
        self.name, self.file, self.bar, self.step, self.threads, self.core = name, file, bar, step, threads, core
        self.folder = os.path.join(T, name + ("-step" if step else ""))
        self.label = name + (", a step" if step else "")

    def netc(self, *arguments):
        subprocess.run([B + "/netc", "emit", self.file, "--net", self.name, "--target", "native", *arguments], check=True)

    def parameters(self):
        """Names and shapes as netc has them, from the header that it writes."""
        self.netc("-o", self.folder + "/names")
        text = open("%s/names/%s.h" % (self.folder, self.name)).read()
        struct = text[text.index("typedef struct %s_weights" % self.name):text.index("} %s_weights" % self.name)]
        return [(n, [int(d) for d in s.split(",")]) for n, s in re.findall(r"/\* (\S+) \[([\d, ]+)\]", struct)]

    def export(self):
        done, sources = self.folder + "/done", [self.file, HERE + "/models.py", HERE + "/contest_torch.py"]
        if os.path.exists(done) and all(os.path.getmtime(done) > os.path.getmtime(f) for f in sources):
            return
        os.makedirs(self.folder, exist_ok=True)
        subprocess.run([sys.executable, "-W", "ignore", HERE + "/contest_torch.py", self.name, self.folder, "export-step" if self.step else "export"],
                       input=json.dumps(self.parameters()), text=True, check=True)
        open(done, "w").close()

    def compiled(self):
        out = "%s/netc-%d" % (self.folder, self.threads)
        shutil.rmtree(out, ignore_errors=True)
        threads = ["--threads", str(self.threads)] if self.threads > 1 else []
        self.netc("-o", out, "--weights", self.folder + "/weights.safetensors", "--embed", "file", *threads, *(["--train"] if self.step else []))
        sources = [os.path.join(out, f) for f in sorted(os.listdir(out)) if f.endswith(".c")]
        with open(out + "/the_net.h", "w") as f:
            f.write('#include "%s.h"\n#define NET %s\n#define UPPER %s\n' % (self.name, self.name, self.name.upper()))
            f.write("#define THREADS %d\n" % self.threads * (self.threads > 1) + "#define TRAIN\n" * self.step)
        subprocess.run([*CC, "-O2", "-pthread", "-I" + out, "-o", out + "/contest", HERE + "/contest_netc.c", *sources, "-lm"], check=True)
        return [out + "/contest", "%s/%s_weights.bin" % (out, self.name)]

    def file_of(self, name):
        return os.path.join(self.folder, name)

    def contestants(self):
        files = [self.file_of("input"), self.file_of("labels" if self.step else "expected")]
        yield Contestant("netc", "winograd" if self.name in THREE else "", self.threads, self.compiled() + files, {}, self.core)
        for threads in range(1, self.threads + 1):
            yield from self.torch(threads)
            if not self.step and ORT:
                shape = MODELS[self.name][1]
                yield Contestant("ONNX Runtime", "", threads, [T + "/contest_ort", ORT, self.file_of("net.onnx"), self.file_of("input"),
                                                               self.file_of("expected"), str(threads), *map(str, shape)], {}, self.core)

    def torch(self, threads):
        hows = [("eager", {}), ("eager", TUNED), ("script", TUNED)] + [("last", TUNED)] * (len(MODELS[self.name][1]) == 4)
        for how, env in hows[:2] if self.name in SLOW else hows:
            command = [sys.executable, "-W", "ignore", HERE + "/contest_torch.py", self.name, self.folder, str(threads), "step" + ("" if how == "eager" else "-" + how) if self.step else how]
            yield Contestant("PyTorch", how + (" tuned" if env else ""), threads, command, env, self.core)

    def judge(self, c):
        """Nothing is timed that does not compute the same."""
        if self.step:
            losses, expected = c.shown[:10], open(self.file_of("losses")).read().split()
            c.shown = [max(abs(float(a) / float(b) - 1) for a, b in zip(losses, expected))] + c.shown[10:]
        if not float(c.shown[0]) <= TOLERANCE:
            raise Wrong("%s %s differs by %s" % (c.peer, c.how, c.shown[0]))

    def run(self, rounds):
        self.export()
        all = list(self.contestants())
        for c in all:
            c.ready(self)
        for _ in range(1 if self.name in SLOW else 3):
            for c in all:
                c.work(0.02)
        chosen = [c for c in all if c.least <= 1.25 * min(d.least for d in all if d.peer == c.peer)]
        for c in all:
            if c not in chosen:
                c.leave()
        for _ in range(rounds):
            for c in chosen:
                c.work(min(max(0.05, 4e-6 * c.least), 0.5))
        for c in chosen:
            c.leave()
        return self.result(chosen)

    def result(self, chosen):
        best = {p: min((c for c in chosen if c.peer == p), key=lambda c: c.least) for p in {c.peer for c in chosen}}
        ours = best.pop("netc")
        row = {"name": self.label, "threads": self.threads, "bar": self.bar, "how": ours.how,
               "min_us": ours.least, "median_us": ours.median(), "difference": float(ours.shown[0]), "peers": {}}
        for p, c in best.items():
            row["peers"][p] = {"how": c.how, "threads": c.threads, "version": c.shown[1], "min_us": c.least, "median_us": c.median(),
                               "ratio": c.least / ours.least, "ratio_of_medians": c.median() / ours.median()}
        for ratio in ("ratio", "ratio_of_medians"):
            row[ratio] = min((r[ratio] for r in row["peers"].values()), default=None)
        return row


def find_ort():
    """The library for this machine; a folder may hold those of others too."""
    for folder, _, files in os.walk(os.environ.get("ORT", "/nowhere")):
        for f in files:
            if f.startswith("libonnxruntime.so"):
                probe = subprocess.run([sys.executable, "-c", "import ctypes,sys; ctypes.CDLL(sys.argv[1])", os.path.join(folder, f)], stderr=subprocess.DEVNULL)
                if probe.returncode == 0:
                    return os.path.join(folder, f)


def microseconds(x):
    return "%.2f" % x if x < 100 else "%.0f" % x


def line(row):
    cells = [row["name"] + (", " + row["how"] if row["how"] else ""), microseconds(row["min_us"])]
    for peer in PEERS:
        r = row["peers"].get(peer)
        cells += ["%s %s" % (microseconds(r["min_us"]), r["how"]), "%.2f" % r["ratio"]] if r else ["-", "-"]
    ratios = ("%.2f" % row["ratio"], "%.2f" % row["ratio_of_medians"]) if row["peers"] else ("-", "-")
    return "| " + " | ".join([*cells, *ratios, "%g" % row["bar"], "%.0e" % row["difference"]]) + " |"


def heading(threads, versions):
    return "\n%s; %s\n\n| net | netc us | %s | ratio | of medians | bar | difference |\n|%s" % (
        "one thread" if threads == 1 else "%d threads; peers with one or more" % threads, ", ".join(versions),
        " | ".join("%s us | x" % p for p in PEERS), "---|" * (6 + 2 * len(PEERS)))


def table(rows):
    """All rows that were ever measured, newest figures, with the geometric mean."""
    for threads in sorted({r["threads"] for r in rows}):
        these = [r for r in rows if r["threads"] == threads]
        print(heading(threads, sorted({"%s %s" % (p, v["version"]) for r in these for p, v in r["peers"].items()})))
        print("\n".join(map(line, these)))
        ratios = [math.log(r["ratio"]) for r in these if r["peers"]]
        if ratios:
            print("\ngeometric mean of the ratios: %.2f; %d of %d reach their bar" % (
                math.exp(sum(ratios) / len(ratios)), sum(r["ratio"] >= r["bar"] for r in these if r["peers"]), len(ratios)))


def measured(options):
    """A row at a time; those of earlier runs, from the file, stay where they are not measured again."""
    rows = json.load(open(options.json)) if os.path.exists(options.json) else []
    for threads, what in [(t, w) for t in (1, 2) for w in ROWS]:
        name, file, step, bar = what
        row = Row(name, file, bar if threads == 1 else 1, step, threads, options.core)
        if not re.search(options.only, row.label + " %d" % threads) or (name in SLOW and name not in options.only):
            continue
        try:
            row = row.run(options.rounds)
        except (Wrong, subprocess.CalledProcessError) as wrong:
            print("peers: %s: %s" % (row.label, wrong), file=sys.stderr)
            continue
        print(line(row), flush=True)
        rows = [r for r in rows if (r["name"], r["threads"]) != (row["name"], threads)] + [row]
        save(rows, options.json)
    return save(rows, options.json)


def save(rows, path):
    """In the order of ROWS."""
    places = [(t, Row(w[0], "", 0, w[2], t, 0).label) for t in (1, 2) for w in ROWS]
    rows = sorted((r for r in rows if (r["threads"], r["name"]) in places), key=lambda r: places.index((r["threads"], r["name"])))
    with open(path, "w") as f:
        json.dump(rows, f, indent=1)
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="")
    parser.add_argument("--json", default=T + "/peers.json")
    options = parser.parse_args()
    if ORT:
        subprocess.run([*CC, "-O2", "-o", T + "/contest_ort", HERE + "/contest_ort.c", "-ldl", "-lm"], check=True)
    else:
        print("peers: no ONNX Runtime (ORT names the folder that it is in)")
    table(measured(options))
    picture = os.path.splitext(options.json)[0] + ".svg"
    subprocess.run([sys.executable, HERE + "/picture.py", options.json, picture], check=True)
    print("the same as a picture: " + os.path.relpath(picture))


try:
    from models import MODELS
except ImportError:
    print("peers: this python has no torch (PYTHON names another one)")
    sys.exit(0)
os.makedirs(T, exist_ok=True)
ORT = find_ort()
main()
