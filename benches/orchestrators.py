"""Times pipeline beside ninja, make, Snakemake, DVC and b3sum on the same work, in turn; medians, ratios and bars.

    python benches/orchestrators.py --pipeline target/release/pipeline [--what start noop first restore hash memory]
        [--bin FOLDER_WITH_ninja_snakemake_dvc] [--b3sum PROGRAM] [--runs 7] [--dir FOLDER] [--dvc]

The graph: ten stages a layer, each reads two outputs of the layer above and writes one small file. A tool that is not
there is left out, by name. DVC's first run takes minutes (its lock file is rewritten for every stage), so its outputs are
made beside it and committed, and it is timed where nothing is to do, only with --dvc and on --dvc-count stages.

Nothing is deleted before the end, and parts that write come first: ext4 without a journal passes over the inodes of files
deleted in the last minutes with every new file, which slows all tools, and those most that write most.
"""

import argparse
import json
import os
import random
import resource
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
            shell = f"{{program: sh, script: echo s{i} > out/s{i}.txt}}"  # that of ninja and make
            lines.append(f"  s{i}: {{command: {{shell: {shell}, {source}, outputs: [out/s{i}.txt]}}}}")
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


def program(tool, args):
    """Where a tool is: in --bin, else in PATH; none where it is not."""
    beside = Path(args.bin, tool)
    return str(beside) if args.bin and beside.exists() else shutil.which(tool)


def command(tool, args):
    return {
        "ours": [args.pipeline, "run", "p.yaml", "-q", "--jobs", "2"],
        "ninja": [program("ninja", args), "-j2", "--quiet"],
        "make": [program("make", args), "-s", "-j2"],
        "snakemake": [program("snakemake", args), "-c2", "-q"],
        "dvc": [program("dvc", args), "repro", "-q"],
    }[tool]


def timed(words, folder):
    begin = time.perf_counter()
    done = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took = time.perf_counter() - begin
    if done.returncode != 0:
        raise SystemExit(f"{words} failed: {done.stderr.decode()[-2000:]}")
    return took


def row(what, times, bar=None):
    """Prints a line, and whether the median keeps its bar in seconds."""
    median = statistics.median(times)
    verdict = "" if bar is None else f"  bar {bar} s: {'kept' if median <= bar else 'MISSED'}"
    print(f"{what:<52} {median:9.4f} s  ({min(times):.4f}–{max(times):.4f}, {len(times)} runs){verdict}", flush=True)
    return median


def ratio(what, value, bar, at_most=True):
    kept = value <= bar if at_most else value >= bar
    word = "at most" if at_most else "at least"
    print(f"    {what}: {value:.2f}  bar {word} {bar}: {'kept' if kept else 'MISSED'}", flush=True)


def there(args, *wanted):
    found = [tool for tool in wanted if program(tool, args)]
    missing = [tool for tool in wanted if tool not in found]
    if missing:
        print("left out:", ", ".join(missing), flush=True)
    return found


def prepare_dvc(folder, args):
    """What a finished DVC run leaves, without running every stage through it."""
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dvc = program("dvc", args)
    subprocess.run(["git", "init", "-q"], **quiet)
    subprocess.run([dvc, "init", "-q"], **quiet)
    for stage in json.loads((folder / "dvc.yaml").read_text())["stages"].values():
        subprocess.run(stage["cmd"], shell=True, cwd=folder, check=True)
    subprocess.run([dvc, "commit", "-f", "-q"], **quiet, timeout=900, check=True)


def noop_of(args, base, count, tools, runs):
    """Times of each tool where nothing is to do."""
    folders = {}
    for tool in tools:
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
    for n in range(runs):
        for tool, folder in folders.items():
            if n < 3 or tool not in ("snakemake", "dvc"):
                times[tool].append(timed(command(tool, args), folder))
    return times


def noop(args, base):
    bars, factors, medians = {1000: 0.03, 10_000: 0.3}, {"snakemake": 50, "dvc": 500}, {}
    for count in args.counts:
        others = there(args, "ninja", "make", *(["snakemake"] if count <= 1000 else []))
        times = noop_of(args, base, count, ["ours", *others], args.runs)
        for tool in times:
            median = row(f"nothing to do, {count} stages: {tool}", times[tool], bars.get(count) if tool == "ours" else None)
            medians[tool, count] = median
            if tool in factors:
                ratio(f"{tool} / ours", median / medians["ours", count], factors[tool], at_most=False)
    if len(args.counts) == 2:
        few, many = args.counts
        each = medians["ours", many] / many / (medians["ours", few] / few)
        print(f"    time a stage with {many} / with {few}: {each:.2f} (linear: 1)", flush=True)
    if args.dvc and there(args, "dvc"):
        count = args.dvc_count
        times = noop_of(args, base, count, ["ours", "dvc"], 3)
        ours = row(f"nothing to do, {count} stages: ours", times["ours"])
        ratio("dvc / ours", row(f"nothing to do, {count} stages: dvc", times["dvc"]) / ours, factors["dvc"], at_most=False)


def first(args, base):
    others = there(args, "ninja", "make", "snakemake")
    times = {tool: [] for tool in ["ours", *others]}
    for n in range(args.runs):
        for tool in times:
            if tool != "snakemake" or n == 0:
                write(base / f"first-{tool}-{n}", tool, 1000)
    os.sync()
    for n in range(args.runs):
        for tool in times:
            if tool != "snakemake" or n == 0:
                times[tool].append(timed(command(tool, args), base / f"first-{tool}-{n}"))
    ours = row("first run of 1000 commands, 2 jobs: ours", times["ours"])
    for tool in others:
        median = row(f"first run of 1000 commands, 2 jobs: {tool}", times[tool])
        if tool == "ninja":
            ratio("ours / ninja", ours / median, 2)


def restore(args, base):
    folder = base / "restore"
    write(folder, "ours", 1000)
    timed(command("ours", args), folder)
    times = []
    for n in range(args.runs):
        (folder / "out").rename(folder / f"away-{n}")
        (folder / "out").mkdir()
        times.append(timed(command("ours", args), folder))
        assert len(list((folder / "out").iterdir())) == 1000
    row("1000 deleted outputs restored", times, 1.0)


def start(args, base):
    row("pipeline --version", [timed([args.pipeline, "--version"], base) for _ in range(30)], 0.01)


YAML = "stages:\n  s: {command: {shell: echo x > o.txt, files: [%s], outputs: [o.txt]}}\n"


def in_turn(args, folder, theirs):
    """Plans of a cold cache, and b3sum where it is, in turn."""
    plan, b3sum = [args.pipeline, "plan", "p.yaml", "-q"], shutil.which(args.b3sum)
    ours, others = [], []
    for _ in range(args.runs):
        shutil.rmtree(folder / "cache", ignore_errors=True)
        ours.append(timed(plan, folder))
        if b3sum:
            others.append(timed([b3sum, *theirs], folder))
    return ours, others


def large(args, base):
    folder = base / "large"
    folder.mkdir()
    with open(folder / "big.bin", "wb") as file:
        block = random.Random(1).randbytes(1 << 24)
        for n in range(args.gib * 64):
            file.write(bytes([n % 256]) + block[1:])
    (folder / "p.yaml").write_text(YAML % "big.bin")
    ours, theirs = in_turn(args, folder, ["big.bin"])
    ours = row(f"one file of {args.gib} GiB, cold memo: ours (plan)", ours)
    if theirs:
        theirs = row(f"one file of {args.gib} GiB: b3sum", theirs)
        ratio("speed of ours / of b3sum", theirs / ours, 0.9, at_most=False)
    (folder / "big.bin").unlink()


def small(args, base):
    folder = base / "small"
    (folder / "data").mkdir(parents=True)
    for n in range(20_000):
        (folder / f"data/f{n}.txt").write_bytes(b"%d " % n * 300)
    (folder / "p.yaml").write_text(YAML % "data")
    ours, theirs = in_turn(args, folder, [f"data/f{n}.txt" for n in range(20_000)])
    ours = row("20,000 small files, cold: ours (plan)", ours)
    if theirs:
        ratio("ours / b3sum", ours / row("20,000 small files: b3sum", theirs), 2)
    time.sleep(2.5)
    plan = [args.pipeline, "plan", "p.yaml"]
    timed([args.pipeline, "run", "p.yaml", "-q"], folder)
    row("20,000 small files, unchanged (plan)", [timed(plan, folder) for _ in range(args.runs)], 0.1)
    changed = folder / "data/f777.txt"
    times = os.stat(changed)
    changed.write_bytes(b"X" + changed.read_bytes()[1:])
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    said = subprocess.run(plan, cwd=folder, capture_output=True, text=True, check=True).stdout
    noticed = "1 to run" in said and "f777.txt" in said
    print(f"    one changed byte, size and mtime as before: {'noticed' if noticed else 'MISSED'}", flush=True)


def memory(args, base):
    folder = base / "memory"
    write(folder, "ours", 10_000)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    words = ["python3", "-c", "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"]
    said = subprocess.run([*words, args.pipeline, "plan", "p.yaml"], cwd=folder, capture_output=True, text=True, check=True)
    ratio(f"peak memory of planning 10,000 stages in MiB (others so far {before // 1024})", int(said.stdout) / 1024, 150)


PARTS = {"first": first, "noop": noop, "restore": restore, "start": start, "memory": memory, "large": large, "small": small}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--bin", default="")
    parser.add_argument("--b3sum", default="b3sum")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--counts", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--gib", type=int, default=4)
    parser.add_argument("--dvc", action="store_true")
    parser.add_argument("--dvc-count", type=int, default=1000)
    parser.add_argument("--dir")
    parser.add_argument("--what", nargs="*", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    args.pipeline = os.path.abspath(args.pipeline)
    with tempfile.TemporaryDirectory(dir=args.dir) as base:
        for name in args.what:
            PARTS[name](args, Path(base))


if __name__ == "__main__":
    main()
