"""Times one training step of IMDN or ART x4 with SPT units in PyTorch, in turns with this project's own.

    python benches/step_pytorch.py [--runs 9] [--threads 2] [--rust PATH/step] [--imdn CHECKOUT] [--reference FILE]
    python benches/step_pytorch.py --backbone art --art CHECKOUT [--runs 7] [--threads 2] [--rust PATH/step]

    python benches/step_pytorch.py --backbone art --art CHECKOUT --device cuda --batch 4 [--compile] [--bf16 | --tf32]

Both sides: 64 masks, batch 4 (ART: 1), 64x64 patches, float32, CPU, L1 loss, Adam. A run is one step of the one, then one step
of the other, so that a noisy machine is noisy for both. Prints both medians and PyTorch's median divided by ours, for
wall time and for processor time, which a busy machine disturbs less.
--rust is the bench binary (`cargo bench -p pipeline-worker --bench step --no-run` prints where it is); --imdn a
checkout of Zheng222/IMDN, --reference a file with `SPT` and `imdn_forward`: without them plain versions are used.
ART is always the official module, from a checkout of gladzhang/ART, of which only the architecture's file is loaded; its
forward pass and units are those of tests/golden/spt_reference.py.
With `--device cuda` the sides do not take turns but follow each other, each in a process of its own: eager, with
--compile also torch.compile, ours. Memory is what nvidia-smi shows beyond what it showed before. --bf16 is autocast
there and `precision: bf16` here; --tf32 lets both round the factors of products, and without it neither does where
NVIDIA_TF32_OVERRIDE=0 is set, as scripts/cuda.sh does. The last line is a row of the table that scripts/cuda.sh prints.
"""
import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from worker_env import WORKER, with_tf32


def conv(c_in, c_out, k=3):
    return nn.Conv2d(c_in, c_out, k, padding=k // 2)


class CCA(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv_du = nn.Sequential(conv(c, c // 16, 1), nn.ReLU(inplace=True), conv(c // 16, c, 1), nn.Sigmoid())

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        std = (x - mean).pow(2).mean((2, 3), keepdim=True).sqrt()
        return x * self.conv_du(mean + std)


class IMDB(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.kept, self.rest = c // 4, c - c // 4
        self.c1, self.c2, self.c3 = conv(c, c), conv(self.rest, c), conv(self.rest, c)
        self.c4, self.c5, self.cca = conv(self.rest, self.kept), conv(c, c, 1), CCA(c)

    def forward(self, x):
        parts, h = [], x
        for layer in (self.c1, self.c2, self.c3):
            kept, h = F.leaky_relu(layer(h), 0.05, inplace=True).split((self.kept, self.rest), 1)
            parts.append(kept)
        return self.c5(self.cca(torch.cat(parts + [self.c4(h)], 1))) + x


class IMDN(nn.Module):
    def __init__(self, c=64, scale=4):
        super().__init__()
        self.fea_conv, self.LR_conv = conv(3, c), conv(c, c)
        for i in range(1, 7):
            setattr(self, f"IMDB{i}", IMDB(c))
        self.c = nn.Sequential(conv(6 * c, c, 1), nn.LeakyReLU(0.05, inplace=True))
        self.upsampler = nn.Sequential(conv(c, 3 * scale * scale), nn.PixelShuffle(scale))


def f(c_in, c):
    return nn.Sequential(conv(c_in, c), nn.ReLU(inplace=True), conv(c, c))


class SPT(nn.Module):
    def __init__(self, c, masks, n):
        super().__init__()
        self.head = f(3 + masks, c)
        self.fuse = nn.ModuleList([f(c + masks, c) for _ in range(n)])
        self.feat = nn.ModuleList([f(c, c) for _ in range(n)])
        self.prior = nn.ModuleList([f(c, c) for _ in range(n)])

    def start(self, x, m):
        return self.head(torch.cat([x, m], 1))

    def apply_to(self, i, h, m, p):
        fused = self.fuse[i](torch.cat([h, m], 1))
        q = self.prior[i](p)
        return h + (self.feat[i](fused) * q + fused), q + p


def imdn_forward(net, spt, x, m):
    p, first = spt.start(x, m), net.fea_conv(x)
    h, outs = first, []
    for i in range(6):
        h, p = spt.apply_to(i, getattr(net, f"IMDB{i + 1}")(h), m, p)
        outs.append(h)
    return net.upsampler(net.LR_conv(net.c(torch.cat(outs, 1))) + first)


def load(name, path):
    where = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module


def official_art(checkout):
    """The published ART x4. Its file wants a registry of BasicSR and three helpers of timm, and nothing else of either."""
    class Registry:
        def register(self):
            return lambda a_class: a_class

    class Identity(nn.Identity):  # drop path: no effect in evaluation
        def __init__(self, _rate=0.0):
            super().__init__()

    def pair(value):
        return value if isinstance(value, tuple) else (value, value)

    contents = {
        "basicsr": {}, "basicsr.utils": {}, "basicsr.utils.registry": {"ARCH_REGISTRY": Registry()},
        "timm": {}, "timm.models": {},
        "timm.models.layers": {"DropPath": Identity, "to_2tuple": pair, "trunc_normal_": nn.init.trunc_normal_},
    }
    for name, members in contents.items():
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name]).update(members)
    arch = load("art_arch", Path(checkout) / "basicsr/archs/art_arch.py")
    return arch.ART(
        upscale=4, img_size=64, embed_dim=180, depths=[6] * 6, num_heads=[6] * 6, interval=[4] * 6, window_size=8,
        mlp_ratio=4, upsampler="pixelshuffle",
    )


def networks(args):
    if args.backbone == "art":
        reference = load("reference", Path(__file__).parent / "../tests/golden/spt_reference.py")
        return official_art(args.art), reference.SPT(180, 64, 6), reference.art_or_cat_forward
    if args.imdn:
        sys.path.insert(0, args.imdn)
        from model.architecture import IMDN as Official
        net = Official(upscale=4)
    else:
        net = IMDN()
    if not args.reference:
        return net, SPT(64, 64, 6), imdn_forward
    reference = load("reference", args.reference)
    return net, reference.SPT(64, 64, 6), reference.imdn_forward


BATCH = {"imdn": 4, "art": 1}


class Work:
    def __init__(self, args):
        torch.manual_seed(0)
        self.net, self.spt, self.forward = networks(args)
        self.net.eval().requires_grad_(False).to(args.device)
        self.spt.to(args.device)
        batch = args.batch or BATCH[args.backbone]
        rand = lambda *size: torch.rand(batch, *size).to(args.device)
        self.x, self.target = rand(3, 64, 64), rand(3, 256, 256)
        self.masks = (rand(64, 64, 64) > 0.8).float()
        self.device, self.bf16 = args.device, args.bf16
        self.loss = torch.compile(self.loss_of) if args.compile else self.loss_of
        self.adam = torch.optim.Adam(self.spt.parameters(), lr=1e-4)
        self.pid = os.getpid()

    def loss_of(self, x, masks, target):
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            output = self.forward(self.net, self.spt, x, masks)
        return F.l1_loss(output.float(), target)

    def timed(self):
        start = time.perf_counter()
        self.adam.zero_grad()
        loss = self.loss(self.x, self.masks, self.target)
        loss.backward()
        self.adam.step()
        loss.item()
        return time.perf_counter() - start


class Rust:
    def __init__(self, args):
        command = [args.rust, "0", str(args.threads), args.backbone]
        command += ["channels_last"] * args.channels_last + ["bf16"] * args.bf16
        command += ["cuda"] * (args.device == "cuda") + [f"batch={args.batch}"] * bool(args.batch)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=WORKER)
        self.process.stdout.readline()
        self.pid = self.process.pid

    def timed(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def cpu_seconds(pid):
    """User and system time of a process so far, in steps of 10 ms (Linux)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(side):
    before = cpu_seconds(side.pid)
    wall = side.timed()
    return wall, cpu_seconds(side.pid) - before


def report(what, which, samples):
    columns = {name: [pair[which] for pair in pairs] for name, pairs in samples.items()}
    for name, values in columns.items():
        print(f"{what} {name:8} median {statistics.median(values):.3f} s, {min(values):.3f} to {max(values):.3f}")
    if "ours" in columns:
        pairs = [p / o for p, o in zip(columns["pytorch"], columns["ours"])]
        ratio = statistics.median(columns["pytorch"]) / statistics.median(columns["ours"])
        best = min(columns["pytorch"]) / min(columns["ours"])
        print(f"{what} speed of ours / of PyTorch eager: {ratio:.3f} (pairs {statistics.median(pairs):.3f}, best {best:.3f})")


class Watch(threading.Thread):
    """The most memory in use on GPU 0, MiB, beyond what was in use before."""
    def __init__(self):
        super().__init__(daemon=True)
        self.before, self.most, self.on = self.used(), 0, True
        self.start()

    @staticmethod
    def used():
        words = ["nvidia-smi", "-i", "0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return int(done.stdout)

    def run(self):
        while self.on:
            self.most = max(self.most, self.used())
            time.sleep(0.1)

    def end(self):
        self.on = False
        self.join()
        return self.most - self.before


def alone(args):
    """One side by itself: the median of its steps and its memory, as a line that `on_cuda` reads."""
    watch = Watch()
    side = Rust(args) if args.alone == "ours" else Work(args)
    for _ in range(5):
        side.timed()
    seconds = [side.timed() for _ in range(args.runs)]
    print(f"alone {statistics.median(seconds)} {min(seconds)} {max(seconds)} {watch.end()}", flush=True)


def on_cuda(args, what):
    sides = ["eager"] + ["compiled"] * args.compile + ["ours"] * bool(args.rust)
    found = {}
    for side in sides:
        words = [word for word in sys.argv[1:] if word != "--compile"] + ["--alone", side]
        words += ["--compile"] * (side == "compiled")
        # Of a process, and therefore in the environment: the same words reach PyTorch and ours.
        environment = with_tf32(os.environ) if args.tf32 else None
        done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, env=environment)
        lines = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("alone ")]
        if not lines:
            print(f"{side}: no figure, exit {done.returncode}", flush=True)
            continue
        median, least, most, mib = map(float, lines[0])
        found[side] = (1 / median, mib)
        print(f"{what} {side:9} {1 / median:.2f} steps/s ({1 / most:.2f}-{1 / least:.2f}), {mib:.0f} MiB", flush=True)
    others = {side: pair for side, pair in found.items() if side != "ours"}
    if "ours" in found and others:
        best = max(others, key=lambda side: others[side][0])
        (ours, our_mib), (theirs, their_mib) = found["ours"], others[best]
        print(f"row: {what} | {ours:.2f} steps/s, {our_mib:.0f} MiB | {best} {theirs:.2f} steps/s, {their_mib:.0f} MiB "
              f"| {ours / theirs:.2f} | 1.0", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rust")
    parser.add_argument("--backbone", choices=sorted(BATCH), default="imdn")
    parser.add_argument("--imdn")
    parser.add_argument("--art")
    parser.add_argument("--reference")
    parser.add_argument("--channels-last", action="store_true", help="ours only, as the schedule's `channels_last: true`")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--bf16", action="store_true", help="with --device cuda")
    parser.add_argument("--tf32", action="store_true", help="with --device cuda")
    parser.add_argument("--compile", action="store_true", help="with --device cuda: torch.compile beside eager")
    parser.add_argument("--alone", choices=["eager", "compiled", "ours"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.backbone == "art" and not args.art:
        parser.error("--backbone art needs --art, a checkout of gladzhang/ART")
    if args.tf32 and args.device != "cuda":
        parser.error("--tf32 needs --device cuda")
    torch.set_num_threads(args.threads)
    if args.alone:
        return alone(args)
    batch = args.batch or BATCH[args.backbone]
    if args.device == "cuda":
        return on_cuda(args, f"{args.backbone.upper()} x4 + SPT, batch {batch}{', bf16' * args.bf16}{', tf32' * args.tf32}")
    sides = {"pytorch": Work(args)}
    if args.rust:
        sides["ours"] = Rust(args)
    sides["pytorch"].timed()
    samples = {name: [] for name in sides}
    for _ in range(args.runs):
        for name, side in sides.items():
            samples[name].append(measure(side))
    what = f"{args.backbone.upper()} x4 + SPT (64 masks), batch {batch}, 64x64"
    print(f"{what}, {args.threads} threads, torch {torch.__version__}, {args.runs} runs")
    report("wall", 0, samples)
    report("cpu ", 1, samples)


if __name__ == "__main__":
    main()
