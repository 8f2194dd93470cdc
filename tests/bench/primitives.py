"""primitives.py -- the bench of single operators beside OpenBLAS and oneDNN, whichever are installed: a table of Markdown.
usage: primitives.py [--rounds N] [--core N]; environment: B (build), CC (cc)"""
import argparse, array, json, os, re, shutil, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
B = os.path.abspath(os.environ.get("B", "build"))
T = os.path.join(B, "tests", "bench-primitives")
CC = os.environ.get("CC", "cc").split()
NET = HERE + "/primitives.net"
WEIGHTS = {"conv_3x3": [64, 64, 3, 3], "conv_1x1": [64, 64, 1, 1], "depthwise": [64, 1, 3, 3], "dense_1024": [1024, 1024]}
LIBRARIES = [("BLAS", "cblas.h", "-lopenblas", ""), ("DNNL", "dnnl.h", "-ldnnl", "#if DNNL_VERSION_MAJOR != 2\n#error\n#endif\n")]


def weights(net, shape):
    """safetensors with the numbers that primitives.c gives to the libraries, and biases of 0."""
    count = 1
    for d in shape:
        count *= d
    values = array.array("f", [i * 3571 % 1009 / 1009 - 0.5 for i in range(count)]).tobytes()
    bias = bytes(4 * shape[0])
    header = json.dumps({"layer.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, len(values)]},
                         "layer.bias": {"dtype": "F32", "shape": shape[:1], "data_offsets": [len(values), len(values) + len(bias)]}}).encode()
    header += b" " * (-len(header) % 8)
    path = "%s/%s.safetensors" % (T, net)
    with open(path, "wb") as f:
        f.write(len(header).to_bytes(8, "little") + header + values + bias)
    return path


def here(header, library, version):
    program = "#include <%s>\n%sint main(void) { return 0; }\n" % (header, version)
    return subprocess.run([*CC, "-x", "c", "-", "-o", T + "/probe", library], input=program, text=True, stderr=subprocess.DEVNULL).returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    options = parser.parse_args()
    shutil.rmtree(T, ignore_errors=True)
    os.makedirs(T)
    found = [(name, library) for name, header, library, version in LIBRARIES if here(header, library, version)]
    if not found:
        print("primitives: neither OpenBLAS nor oneDNN 2 (libopenblas-dev, libdnnl-dev)")
        return
    for net in re.findall(r"^net (\w+)", open(NET).read(), re.M):
        known = ["--weights", weights(net, WEIGHTS[net]), "--embed", "string"] if net in WEIGHTS else []
        subprocess.run([B + "/netc", "emit", NET, "--net", net, "--target", "native", "-o", T + "/c", *known], check=True)
    sources = [os.path.join(T, "c", f) for f in sorted(os.listdir(T + "/c")) if f.endswith(".c")]
    subprocess.run([*CC, "-O2", "-I" + T + "/c", "-o", T + "/primitives", HERE + "/primitives.c", *sources,
                    *("-D" + name for name, _ in found), *(library for _, library in found), "-lm"], check=True)
    peak = json.loads(subprocess.run([B + "/netc", "bench", "--format=json", "examples/tiny/tiny.net"], check=True, stdout=subprocess.PIPE).stdout)["peak_gflops"]
    print("\none thread; time, GFLOP/s, share of the peak of %.0f GFLOP/s; times as fast\n\n| operator | netc | OpenBLAS | ratio | oneDNN | ratio |\n|%s" % (peak, "---|" * 6), flush=True)
    subprocess.run([T + "/primitives", str(peak), str(options.rounds)], check=True, env=dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"),
                   preexec_fn=lambda: os.sched_setaffinity(0, {options.core}))


main()
