"""Makes the files of this folder, as PyTorch 2.11 writes them: `python make.py`. None of them runs anything when read
by this project; `evil*` would run `echo` under Python's own pickle."""
import collections
import os
import pickle

import torch


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def weights(seed=0, kind=torch.float32):
    torch.manual_seed(seed)
    return collections.OrderedDict(weight=torch.randn(2, 1, 3, 3).to(kind), bias=torch.randn(2).to(kind))


def prefixed(prefix, state):
    return collections.OrderedDict((prefix + name, value) for name, value in state.items())


torch.save(weights(), "bare.pth")
torch.save(prefixed("module.", weights()), "module_legacy.pth", _use_new_zipfile_serialization=False)
torch.save({"params": weights(1), "params_ema": prefixed("module.", weights()), "step": 7}, "params_ema.pth")
torch.save({"state_dict": weights(), "epoch": 3, "optimizer": {"lr": 1e-4}}, "state_dict.pth")
torch.save(weights(kind=torch.float16), "half.pth")
torch.save(weights(kind=torch.bfloat16), "bfloat16.pth")
torch.save(collections.OrderedDict(weights(), bias=torch.tensor([0.0, float("nan")])), "nan.pth")
torch.save(collections.OrderedDict(weights(), bias=torch.tensor([1, 2])), "integers.pth")
torch.save(collections.OrderedDict(weights(), bias=torch.zeros(1).expand(1 << 31)), "expanded.pth")
torch.save({"params": weights(), "extra": Evil()}, "evil.pth")
torch.save({"params": weights(), "extra": Evil()}, "evil_legacy.pth", _use_new_zipfile_serialization=False)
with open("evil_pickle.pth", "wb") as file:
    pickle.dump(Evil(), file, protocol=2)
