"""Loads models that `pipeline export --to` wrote into PyTorch, and restores with them: IMDN and DnCNN, with SPT units or without.

    net = load("model.safetensors")                       # a whole network
    net = load("units.safetensors", "backbone.safetensors")
    y = net(x, masks)                                     # x (B, 3, H, W) in [0, 1], masks (B, N_c, H, W) of 0 and 1

Needs PyTorch alone. `python load_model.py MODEL [BACKBONE] WIDTH HEIGHT < samples > restored` reads 8-bit RGB, then the masks'
bytes one after the other, and writes 8-bit RGB.
"""
import json
import struct
import sys

import torch
from torch import nn
from torch.nn import functional as F

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


def read(path):
    """The tensors of a safetensors file by name, and what its header says of the model."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    said = json.loads(header.pop("__metadata__", {}).get("pipeline", "null"))
    tensors = {}
    for name, place in header.items():
        begin, end = place["data_offsets"]
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=TYPES[place["dtype"]])
        tensors[name] = flat.float().reshape(place["shape"])
    return tensors, said


def f(c_in, c):
    return nn.Sequential(nn.Conv2d(c_in, c, 3, 1, 1), nn.ReLU(), nn.Conv2d(c, c, 3, 1, 1))


class Unit(nn.Module):
    def __init__(self, c, masks, variant):
        super().__init__()
        self.variant = variant
        if variant == "spt_cat":
            self.cat = f(masks + 2 * c, c)
            return
        self.fuse = f(masks if variant == "spt_f" else c + masks, c)
        self.feat = f(c, c)
        if variant != "spt_p":
            self.prior = f(c, c)

    def forward(self, h, masks, p):
        """What is added to a block's feature h, and the next prior."""
        if self.variant == "spt_cat":
            return self.cat(torch.cat([masks, h, p], 1)), p
        fused = self.fuse(masks if self.variant == "spt_f" else torch.cat([h, masks], 1))
        if self.variant == "spt_p":
            return self.feat(fused) + fused, p
        q = self.prior(p)
        return self.feat(fused) * q + fused, q + p


class Units(nn.Module):
    def __init__(self, c, masks, units, alpha, variant, share):
        super().__init__()
        self.count, self.alpha = units, alpha
        if variant != "spt_p":
            self.head = f(3 + masks, c)
        self.units = nn.ModuleList(Unit(c, masks, variant) for _ in range(1 if share == "units" else units))

    def start(self, x, masks):
        return self.head(torch.cat([x, masks], 1)) if hasattr(self, "head") else None

    def after(self, i, h, masks, p):
        if i >= self.count:
            return h, p
        change, p = self.units[i if len(self.units) > 1 else 0](h, masks, p)
        return h + self.alpha * change, p


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv_du = nn.Sequential(nn.Conv2d(c, c // 16, 1), nn.ReLU(), nn.Conv2d(c // 16, c, 1), nn.Sigmoid())

    def forward(self, x):
        mean = x.mean((2, 3), keepdim=True)
        return x * self.conv_du((x - mean).square().mean((2, 3), keepdim=True).sqrt() + mean)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.kept = c // 4
        rest = c - self.kept
        self.c1, self.c2, self.c3 = (nn.Conv2d(n, c, 3, 1, 1) for n in (c, rest, rest))
        self.c4 = nn.Conv2d(rest, self.kept, 3, 1, 1)
        self.cca = Attention(c)
        self.c5 = nn.Conv2d(c, c, 1)

    def forward(self, x):
        parts, h = [], x
        for conv in (self.c1, self.c2, self.c3):
            part, h = F.leaky_relu(conv(h), 0.05).split([self.kept, x.shape[1] - self.kept], 1)
            parts.append(part)
        return self.c5(self.cca(torch.cat([*parts, self.c4(h)], 1))) + x


class IMDN(nn.Module):
    def __init__(self, scale, width, blocks):
        super().__init__()
        self.channels, self.blocks, self.scale = width, blocks, scale
        self.fea_conv = nn.Conv2d(3, width, 3, 1, 1)
        for i in range(blocks):
            setattr(self, f"IMDB{i + 1}", Block(width))
        self.c = nn.Sequential(nn.Conv2d(width * blocks, width, 1), nn.LeakyReLU(0.05))
        self.LR_conv = nn.Conv2d(width, width, 3, 1, 1)
        self.upsampler = nn.Sequential(nn.Conv2d(width, 3 * scale**2, 3, 1, 1), nn.PixelShuffle(scale))

    def forward(self, x, after):
        first = h = self.fea_conv(x)
        outs = []
        for i in range(self.blocks):
            h = after(i, getattr(self, f"IMDB{i + 1}")(h))
            outs.append(h)
        return self.upsampler(self.LR_conv(self.c(torch.cat(outs, 1))) + first)


class DnCNN(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.channels, self.each = width, (depth - 2) // 6
        sides = [3] + [width] * (depth - 1) + [3]
        layers = []
        for c_in, c_out in zip(sides, sides[1:]):
            layers += [nn.Conv2d(c_in, c_out, 3, 1, 1), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])

    def forward(self, x, after):
        h = F.relu(self.model[0](x))
        for i in range(6):
            for n in range(1 + i * self.each, 1 + (i + 1) * self.each):
                h = F.relu(self.model[2 * n](h))
            h = after(i, h)
        return x - self.model[-1](h)


class Network(nn.Module):
    def __init__(self, backbone, units):
        super().__init__()
        self.backbone, self.spt = backbone, units

    def forward(self, x, masks=None):
        if self.spt is None:
            return self.backbone(x, lambda i, h: h)
        prior = [self.spt.start(x, masks)]

        def after(i, h):
            h, prior[0] = self.spt.after(i, h, masks, prior[0])
            return h

        return self.backbone(x, after)


def load(path, backbone=None):
    """The network of an exported file; of SPT units alone with the weights of their backbone."""
    tensors, said = read(path)
    if backbone is not None:
        tensors = {**read(backbone)[0], **tensors}
    ((kind, size),) = said["model"]["architecture"].items()
    body = {"imdn": IMDN, "dncnn": DnCNN}[kind](**size)
    spt = said["model"]["spt"]
    net = Network(body, spt and Units(body.channels, **spt))
    net.load_state_dict({name if name.startswith("spt.") else f"backbone.{name}": t for name, t in tensors.items()})
    return net.eval()


def main(path, *rest):
    *backbone, width, height = rest
    width, height = int(width), int(height)
    net = load(path, *backbone)
    raw = torch.frombuffer(bytearray(sys.stdin.buffer.read()), dtype=torch.uint8)
    image, masks = raw[: width * height * 3], raw[width * height * 3 :]
    x = image.reshape(1, height, width, 3).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        y = net(x, masks.reshape(1, -1, height, width).float())
    y = (y.clamp(0, 1) * 255).round().byte()[0].permute(1, 2, 0).contiguous()
    sys.stdout.buffer.write(bytes(y.flatten().tolist()))


if __name__ == "__main__":
    main(*sys.argv[1:])
