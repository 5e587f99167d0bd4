"""Writes legacy_protocol0.pth and legacy_protocol1.pth: the weights of bare.pth as
`torch.save(…, pickle_protocol=0, _use_new_zipfile_serialization=False)` writes them, and with protocol 1.

    python make_protocols.py

PyTorch is not needed: Python's own pickler writes the opcodes, and stand-ins give it the names of PyTorch's classes.
"""
import collections
import pickle
import struct
import sys
import types
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


class FloatStorage:
    __module__ = "torch"

    def __init__(self, key, data):
        self.key, self.data = key, data


def _rebuild_tensor_v2(*arguments):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"
torch.FloatStorage, torch._utils, utils._rebuild_tensor_v2 = FloatStorage, utils, _rebuild_tensor_v2
sys.modules.update({"torch": torch, "torch._utils": utils})


class Tensor:
    def __init__(self, storage, shape, stride):
        self.storage, self.shape, self.stride = storage, shape, stride

    def __reduce_ex__(self, protocol):
        return _rebuild_tensor_v2, (self.storage, 0, self.shape, self.stride, False, collections.OrderedDict())


class Pickler(pickle._Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, FloatStorage):
            return "storage", FloatStorage, obj.key, "cpu", len(obj.data) // 4, None
        return None


with zipfile.ZipFile(HERE / "bare.pth") as archive:
    storages = [FloatStorage(str(94000 + i), archive.read(f"bare/data/{i}")) for i in range(2)]
state = collections.OrderedDict(
    weight=Tensor(storages[0], (2, 1, 3, 3), (9, 9, 3, 1)),
    bias=Tensor(storages[1], (2,), (1,)),
)
for protocol in 0, 1:
    with open(HERE / f"legacy_protocol{protocol}.pth", "wb") as file:
        pickle.dump(0x1950a86a20f9469cfc6c, file, protocol)
        pickle.dump(1001, file, protocol)
        sizes = dict(short=2, int=4, long=4)
        pickle.dump(dict(protocol_version=1001, little_endian=True, type_sizes=sizes), file, protocol)
        Pickler(file, protocol).dump(dict(state_dict=state, epoch=3, lr=1e-4, done=True, name=None))
        pickle.dump(sorted(s.key for s in storages), file, protocol)
        for storage in storages:
            file.write(struct.pack("<q", len(storage.data) // 4) + storage.data)
