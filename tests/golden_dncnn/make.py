"""Writes this folder's golden numbers: colour DnCNN alone, and with SPT units after its six groups.

    pip install torch safetensors
    python make.py <checkout of cszn/KAIR@fc1732f>

The network is KAIR's class DnCNN with `act_mode="R"` (batch norms merged, as its denoising checkpoints are); the units
are those of tests/golden/spt_reference.py. All weights are random.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
GROUPS = 6


def drawn(module, generator, gain=1.4):
    """Weights that keep the size of activations (units less: their products grow), and biases that matter."""
    for name, p in module.named_parameters():
        fan_in = p[0].numel() if p.dim() > 1 else 1
        scale = gain / fan_in ** 0.5 if name.endswith("weight") else 0.1
        p.data = (torch.randn(p.shape, generator=generator) * scale).half().float()
    return module


def walked(net, after_group, x):
    """The official forward, taken apart at the groups: convolutions 1 to nb - 2, each with its ReLU, in six parts."""
    layers = list(net.model)
    each = (len(layers) - 3) // GROUPS
    h = layers[1](layers[0](x))
    for i in range(GROUPS):
        for layer in layers[2 + i * each:2 + (i + 1) * each]:
            h = layer(h)
        h = after_group(i, h)
    return x - layers[-1](h)


def case(name, tensors, entry):
    save_file({k: t.contiguous() for k, t in tensors.items()}, HERE / f"{name}.safetensors")
    return {"id": name, "file": f"{name}.safetensors", "weights": [f"{name}.safetensors"],
            "tolerance": {"max_abs": 1e-4}, **entry}


def main(kair):
    sys.path[:0] = [kair, str(HERE.parent / "golden")]
    from models.network_dncnn import DnCNN
    from spt_reference import SPT
    torch.set_num_threads(2)
    g = torch.Generator().manual_seed(1301)
    cases = []
    with torch.no_grad():
        config = {"in_nc": 3, "out_nc": 3, "nc": 24, "nb": 14}
        net = drawn(DnCNN(**config, act_mode="R"), g).eval()
        x = torch.rand(2, 3, 17, 13, generator=g)
        y = net(x)
        exact = net.double()(x.double())
        net.float()
        weights = {f"param.{k}": v.half() for k, v in net.state_dict().items()}
        difference = (y - exact).abs().max().item()
        cases.append(case("dncnn", {**weights, "in.x": x, "out.y": y}, {
            "model": "dncnn", "config": config, "seed": 1301, "f64_diff": difference,
            "strict_tolerance": 10 * difference,
            "how": "official cszn/KAIR@fc1732f models/network_dncnn.py class DnCNN, act_mode R, random weights"}))
        assert torch.equal(walked(net, lambda i, h: h, x), y)

        spt = drawn(SPT(24, 5, 4), g, gain=0.8).eval()
        masks = (torch.rand(2, 5, 17, 13, generator=g) > 0.6).float()
        state = {"p": spt.start(x, masks)}

        def after(i, h):
            h, state["p"] = spt.apply_to(i, h, masks, state["p"])
            return h
        y = walked(net, after, x)
        units = {f"spt.{k}": v.half() for k, v in spt.state_dict().items()}
        cases.append(case("spt_dncnn_spt_n4_a1", {
            **weights, **units, "in.x": x, "in.masks_u8": masks.to(torch.uint8), "out.y": y}, {
            "model": "spt_forward", "seed": 1301,
            "config": {"backbone": "dncnn", "backbone_config": config, "n_masks": 5, "channels": 24,
                       "variant": "spt", "last_block": 4, "alpha": 1.0, "share": "none"},
            "how": "spt_reference.py around the official network, units after groups 1 to 4 of its six"}))
    manifest = {"versions": {"torch": torch.__version__}, "cases": cases}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


main(sys.argv[1])
