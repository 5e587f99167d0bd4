//! Names of code in pickles: which of them data needs, and which are told to the user.
//! Unaware of what becomes of a name: nothing that a pickle names is ever run.

use std::collections::BTreeSet;

use crate::dtype::Dtype;

/// The names of one file's pickles.
#[derive(Debug, Default)]
pub(crate) struct Globals {
    /// Those that no weights need, as module.name.
    needless: BTreeSet<String>,
}

impl Globals {
    /// Notes a name, called or not. The caller has paid for it.
    pub fn note(&mut self, name: &str) {
        if !is_harmless(name) && !self.needless.contains(name) {
            self.needless.insert(name.to_owned());
        }
    }

    /// Those that no weights need: of the names in the tree of values, and all others.
    pub fn foreign(self, in_tree: BTreeSet<String>) -> (Vec<String>, Vec<String>) {
        let foreign: BTreeSet<String> = in_tree.into_iter().filter(|n| !is_harmless(n)).collect();
        let others = self.needless.difference(&foreign).cloned().collect();
        (foreign.into_iter().collect(), others)
    }
}

/// Whether a name is one that data stored beside weights needs: types of tensors, of `NumPy` and of Python.
pub fn is_harmless(name: &str) -> bool {
    let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
    match module.split('.').next().unwrap_or_default() {
        "torch" => is_torch(module, last),
        "numpy" => is_numpy(module, last),
        "collections" => {
            module == "collections"
                && matches!(last, "OrderedDict" | "defaultdict" | "Counter" | "deque")
        }
        _ => is_python(module, last),
    }
}

fn is_torch(module: &str, last: &str) -> bool {
    match module {
        "torch" => {
            last.ends_with("Storage")
                || last.ends_with("Tensor")
                || matches!(
                    last,
                    "Size"
                        | "device"
                        | "dtype"
                        | "strided"
                        | "sparse_coo"
                        | "sparse_csr"
                        | "contiguous_format"
                        | "preserve_format"
                        | "channels_last"
                        | "Generator"
                )
                || Dtype::of_attribute(&format!("torch.{last}")).is_some()
        }
        "torch._utils" => last.starts_with("_rebuild_"),
        "torch._tensor" => last == "_rebuild_from_type_v2",
        "torch.storage" => last.ends_with("Storage"),
        "torch.serialization" => last == "_get_layout",
        _ => {
            module == "torch.nn"
                || module.starts_with("torch.nn.modules.")
                || module == "torch.nn.parameter"
        }
    }
}

fn is_numpy(module: &str, last: &str) -> bool {
    match module {
        "numpy" => {
            matches!(
                last,
                "dtype" | "ndarray" | "generic" | "bool" | "bool_" | "str_" | "bytes_" | "void"
            ) || ["int", "uint", "float", "complex"].iter().any(|kind| {
                last.strip_prefix(kind)
                    .is_some_and(|bits| bits.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
            })
        }
        "numpy.core.multiarray" | "numpy._core.multiarray" => {
            matches!(last, "_reconstruct" | "scalar")
        }
        "numpy.core.numeric" | "numpy._core.numeric" => last == "_frombuffer",
        "numpy.dtypes" => last.ends_with("DType"),
        _ => {
            module.starts_with("numpy.random")
                && (last.starts_with("__") || last.ends_with("_ctor"))
        }
    }
}

fn is_python(module: &str, last: &str) -> bool {
    match module {
        "builtins" | "__builtin__" | "" => matches!(
            last,
            "set"
                | "frozenset"
                | "dict"
                | "list"
                | "tuple"
                | "str"
                | "bytes"
                | "bytearray"
                | "complex"
                | "slice"
                | "range"
                | "int"
                | "long"
                | "float"
                | "bool"
                | "object"
                | "unicode"
        ),
        "_codecs" => last == "encode",
        "copyreg" | "copy_reg" => last == "_reconstructor",
        "argparse" => last == "Namespace",
        "pathlib" | "pathlib._local" => last.ends_with("Path"),
        "datetime" => matches!(
            last,
            "datetime" | "date" | "time" | "timedelta" | "timezone"
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_something_is_never_harmless() {
        for name in [
            "os.system",
            "posix.system",
            "builtins.eval",
            "builtins.getattr",
            "torch.load",
            "torch.hub.load",
            "torch.storage._load_from_bytes",
            "numpy.load",
            "numpy.core.multiarray.fromfile",
            "functools.partial",
            "torch.serialization.load",
            "torch.jit.load",
            "subprocess.Popen",
            "_codecs.lookup",
            "__main__.Net",
            "numpy.f2py.compile",
            "torch._utils.classproperty",
            "torch.nn.functional.relu",
            "eval",
        ] {
            assert!(!is_harmless(name), "{name}");
        }
        for name in [
            "torch._utils._rebuild_tensor_v2",
            "torch.FloatStorage",
            "torch.float32",
            "torch.Size",
            "torch.device",
            "collections.OrderedDict",
            "numpy.core.multiarray.scalar",
            "numpy.dtype",
            "numpy.float64",
            "int",
            "torch.nn.modules.conv.Conv2d",
            "torch.nn.parameter.Parameter",
            "builtins.set",
            "argparse.Namespace",
            "torch.storage.UntypedStorage",
            "numpy.random._pickle.__randomstate_ctor",
            "pathlib.PosixPath",
            "_codecs.encode",
            "copy_reg._reconstructor",
            "torch.FloatTensor",
            "numpy._core.multiarray._reconstruct",
        ] {
            assert!(is_harmless(name), "{name}");
        }
    }
}
