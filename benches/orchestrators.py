"""Times pipeline beside make, ninja, Snakemake and DVC on the same graph of trivial commands, in turn, medians.

    python benches/orchestrators.py --pipeline target/release/pipeline [--what noop first restore start hash memory]
                                    [--bin FOLDER_WITH_snakemake_AND_dvc] [--runs 7] [--dir FOLDER]

The graph: ten stages a layer, each reads two outputs of the layer above and writes one small file. A tool that is not
there is left out, by name. DVC's first run takes minutes (its lock file is rewritten for every stage), so it is set up by
`dvc commit` and timed only where nothing is to do, and only with --dvc.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

LAYER = 10


def inputs(i):
    layer, k = divmod(i, LAYER)
    if layer == 0:
        return []
    above = (layer - 1) * LAYER
    return [above + k, above + (k + 1) % LAYER]


def write(folder, tool, count):
    """The graph in the words of one tool."""
    folder.mkdir(parents=True)
    (folder / "out").mkdir()
    (folder / "in.txt").write_text("source\n")
    files = lambda i: [f"out/s{j}.txt" for j in inputs(i)] or ["in.txt"]
    last = [f"out/s{i}.txt" for i in range(count - LAYER, count)]
    if tool == "ours":
        lines = ["stages:"]
        for i in range(count):
            stages = ", ".join(f"i{n}: s{j}" for n, j in enumerate(inputs(i)))
            source = f"stages: {{{stages}}}" if stages else "files: [in.txt]"
            lines.append(f"  s{i}: {{command: {{shell: echo s{i} > out/s{i}.txt, {source}, outputs: [out/s{i}.txt]}}}}")
        (folder / "p.yaml").write_text("\n".join(lines) + "\n")
    elif tool == "ninja":
        rules = ["rule c", "  command = echo $n > $out"]
        rules += [f"build out/s{i}.txt: c {' '.join(files(i))}\n  n = s{i}" for i in range(count)]
        (folder / "build.ninja").write_text("\n".join(rules) + "\n")
    elif tool == "make":
        rules = ["all: " + " ".join(last)]
        rules += [f"out/s{i}.txt: {' '.join(files(i))}\n\t@echo s{i} > $@" for i in range(count)]
        (folder / "Makefile").write_text("\n".join(rules) + "\n")
    elif tool == "snakemake":
        rules = [f"rule all:\n    input: {json.dumps(last)}"]
        rules += [
            f"rule s{i}:\n    input: {json.dumps(files(i))}\n    output: 'out/s{i}.txt'\n    shell: 'echo s{i} > {{output}}'"
            for i in range(count)
        ]
        (folder / "Snakefile").write_text("\n".join(rules) + "\n")
    elif tool == "dvc":
        stages = {
            f"s{i}": {"cmd": f"echo s{i} > out/s{i}.txt", "deps": files(i), "outs": [f"out/s{i}.txt"]}
            for i in range(count)
        }
        (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))


def command(tool, args):
    return {
        "ours": [args.pipeline, "run", "p.yaml", "-q", "--jobs", "2"],
        "ninja": ["ninja", "-j2", "--quiet"],
        "make": ["make", "-s", "-j2"],
        "snakemake": [f"{args.bin}/snakemake", "-c2", "-q"],
        "dvc": [f"{args.bin}/dvc", "repro", "-q"],
    }[tool]


def timed(words, folder, check=True):
    begin = time.perf_counter()
    done = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = time.perf_counter() - begin
    if check and done.returncode != 0:
        raise SystemExit(f"{words} failed: {done.stderr.decode()[-2000:]}")
    return took


def row(what, times, bar=""):
    print(f"{what:<52} {statistics.median(times):9.4f} s  ({min(times):.4f}–{max(times):.4f}, {len(times)} runs)  {bar}", flush=True)
    return statistics.median(times)


def tools(args):
    there = [t for t in ("ninja", "make") if shutil.which(t)]
    there += [t for t in ("snakemake", "dvc") if args.bin and Path(args.bin, t).exists() and (t != "dvc" or args.dvc)]
    missing = {"ninja", "make", "snakemake", "dvc"} - set(there)
    if missing:
        print("left out:", ", ".join(sorted(missing)))
    return there


def prepare_dvc(folder, args):
    """What a finished DVC run leaves, without running every stage through it."""
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["git", "init", "-q"], **quiet)
    subprocess.run([f"{args.bin}/dvc", "init", "-q"], **quiet)
    for stage in json.loads((folder / "dvc.yaml").read_text())["stages"].values():
        subprocess.run(stage["cmd"], shell=True, cwd=folder)
    subprocess.run([f"{args.bin}/dvc", "commit", "-f", "-q"], **quiet, timeout=900)


def noop(args, base):
    for count in args.counts:
        folders, others = {}, tools(args) if count <= 1000 else [t for t in tools(args) if t in ("ninja", "make")]
        for tool in ["ours", *others]:
            folders[tool] = base / f"noop-{tool}-{count}"
            write(folders[tool], tool, count)
            if tool == "dvc":
                prepare_dvc(folders[tool], args)
            else:
                timed(command(tool, args), folders[tool])
        time.sleep(2.5)  # younger files are read again, as they may still change
        for tool in folders:
            timed(command(tool, args), folders[tool])
        times = {tool: [] for tool in folders}
        for _ in range(args.runs):
            for tool, folder in folders.items():
                times[tool].append(timed(command(tool, args), folder))
        ours = None
        for tool in folders:
            median = row(f"nothing to do, {count} stages: {tool}", times[tool])
            ours = ours or median
            if tool != "ours":
                print(f"    ours is {median / ours:.1f} times as fast")


def first(args, base):
    there = [t for t in tools(args) if t in ("ninja", "make", "snakemake")]
    times = {tool: [] for tool in ["ours", *there]}
    for n in range(args.runs):
        for tool in times:
            if tool == "snakemake" and n > 0:
                continue
            folder = base / f"first-{tool}-{n}"
            write(folder, tool, 1000)
            times[tool].append(timed(command(tool, args), folder))
            shutil.rmtree(folder)
    ours = row("first run of 1000 commands, 2 jobs: ours", times["ours"])
    for tool in there:
        median = row(f"first run of 1000 commands, 2 jobs: {tool}", times[tool])
        print(f"    ours takes {ours / median:.2f} of its time")


def restore(args, base):
    folder = base / "restore"
    write(folder, "ours", 1000)
    timed(command("ours", args), folder)
    times = []
    for _ in range(args.runs):
        shutil.rmtree(folder / "out")
        (folder / "out").mkdir()
        times.append(timed(command("ours", args), folder))
        assert len(list((folder / "out").iterdir())) == 1000
    row("1000 deleted outputs restored", times)


def start(args, base):
    row("pipeline --version", [timed([args.pipeline, "--version"], base) for _ in range(30)])


def hashing(args, base):
    """One large file and many small ones, by a command stage that reads them, beside b3sum."""
    large = base / "large"
    large.mkdir()
    with open(large / "big.bin", "wb") as file:
        block = random.Random(1).randbytes(1 << 24)
        for n in range(256):
            file.write(bytes([n]) + block[1:])
    yaml = "stages:\n  s: {command: {shell: echo x > o.txt, files: [%s], outputs: [o.txt]}}\n"
    (large / "p.yaml").write_text(yaml % "big.bin")
    plan = [args.pipeline, "plan", "p.yaml", "-q"]
    ours, theirs = [], []
    for _ in range(args.runs):
        shutil.rmtree(large / "cache", ignore_errors=True)
        ours.append(timed(plan, large))
        if shutil.which(args.b3sum):
            theirs.append(timed([args.b3sum, "big.bin"], large))
    row("one file of 4 GiB, cold: ours (plan)", ours)
    if theirs:
        row("one file of 4 GiB: b3sum", theirs)
        print(f"    speed of ours / of b3sum: {statistics.median(theirs) / statistics.median(ours):.2f}")
    shutil.rmtree(large)
    small = base / "small"
    (small / "data").mkdir(parents=True)
    for n in range(20_000):
        (small / f"data/f{n}.txt").write_bytes(b"%d " % n * 300)
    (small / "p.yaml").write_text(yaml % "data")
    names = [f"data/f{n}.txt" for n in range(20_000)]
    ours, theirs = [], []
    for _ in range(args.runs):
        shutil.rmtree(small / "cache", ignore_errors=True)
        ours.append(timed(plan, small))
        if shutil.which(args.b3sum):
            theirs.append(timed([args.b3sum, *names], small))
    row("20,000 small files, cold: ours (plan)", ours)
    if theirs:
        row("20,000 small files: b3sum", theirs)
        print(f"    ours takes {statistics.median(ours) / statistics.median(theirs):.2f} of its time")
    time.sleep(2.5)
    timed([args.pipeline, "run", "p.yaml", "-q"], small)
    row("20,000 small files, unchanged (plan)", [timed(plan, small) for _ in range(args.runs)])


def memory(args, base):
    folder = base / "memory"
    write(folder, "ours", 10_000)
    words = ["/usr/bin/env", "python3", "-c", "import resource,subprocess,sys;subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL);print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"]
    out = subprocess.run([*words, args.pipeline, "plan", "p.yaml"], cwd=folder, capture_output=True, text=True).stdout
    print(f"peak memory of planning 10,000 stages                {int(out) / 1024:.1f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--bin", default="")
    parser.add_argument("--b3sum", default="b3sum")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--counts", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--dvc", action="store_true")
    parser.add_argument("--dir")
    parser.add_argument("--what", nargs="*", default=["start", "noop", "first", "restore", "hash", "memory"])
    args = parser.parse_args()
    args.pipeline = os.path.abspath(args.pipeline)
    parts = {"start": start, "noop": noop, "first": first, "restore": restore, "hash": hashing, "memory": memory}
    with tempfile.TemporaryDirectory(dir=args.dir) as base:
        for name in args.what:
            parts[name](args, Path(base))


if __name__ == "__main__":
    main()
