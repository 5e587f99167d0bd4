//! The types of numbers that a storage may hold, by the names of `PyTorch`'s classes.
//! Unaware of tensors.

/// Types of numbers. Those that nothing here computes with are only told apart by their name and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are safetensors' own")]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
    /// Another type: its name, and the bytes of a number.
    Other(&'static str, u8),
}

/// The storage class, the attribute of `torch` (where it has another name), the type.
const ALL: &[(&str, &str, Dtype)] = &[
    ("DoubleStorage", "float64", Dtype::F64),
    ("", "double", Dtype::F64),
    ("FloatStorage", "float32", Dtype::F32),
    ("", "float", Dtype::F32),
    ("HalfStorage", "float16", Dtype::F16),
    ("", "half", Dtype::F16),
    ("BFloat16Storage", "bfloat16", Dtype::Bf16),
    ("LongStorage", "int64", Dtype::I64),
    ("", "long", Dtype::I64),
    ("IntStorage", "int32", Dtype::I32),
    ("", "int", Dtype::I32),
    ("ShortStorage", "int16", Dtype::I16),
    ("", "short", Dtype::I16),
    ("CharStorage", "int8", Dtype::I8),
    ("ByteStorage", "uint8", Dtype::U8),
    ("BoolStorage", "bool", Dtype::Bool),
    ("", "uint64", Dtype::U64),
    ("", "uint32", Dtype::U32),
    ("", "uint16", Dtype::U16),
    (
        "ComplexDoubleStorage",
        "complex128",
        Dtype::Other("C128", 16),
    ),
    ("ComplexFloatStorage", "complex64", Dtype::Other("C64", 8)),
    ("", "complex32", Dtype::Other("C32", 4)),
    ("", "float8_e4m3fn", Dtype::Other("F8_E4M3", 1)),
    ("", "float8_e5m2", Dtype::Other("F8_E5M2", 1)),
    ("", "float8_e4m3fnuz", Dtype::Other("F8_E4M3FNUZ", 1)),
    ("", "float8_e5m2fnuz", Dtype::Other("F8_E5M2FNUZ", 1)),
    ("", "float8_e8m0fnu", Dtype::Other("F8_E8M0", 1)),
    ("QUInt8Storage", "quint8", Dtype::Other("QUINT8", 1)),
    ("QInt8Storage", "qint8", Dtype::Other("QINT8", 1)),
    ("QInt32Storage", "qint32", Dtype::Other("QINT32", 4)),
];

impl Dtype {
    /// The type that a storage class such as `torch.FloatStorage` holds.
    pub(crate) fn of_storage(class: &str) -> Option<Self> {
        let name = class.rsplit('.').next().filter(|name| !name.is_empty())?;
        ALL.iter().find(|(s, _, _)| *s == name).map(|(.., d)| *d)
    }

    /// The type that an attribute such as `torch.float32` names.
    pub(crate) fn of_attribute(global: &str) -> Option<Self> {
        let name = global.strip_prefix("torch.")?;
        ALL.iter().find(|(_, a, _)| *a == name).map(|(.., d)| *d)
    }

    /// Bytes of a number.
    pub fn width(self) -> u64 {
        match self {
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::Other(_, width) => width.into(),
        }
    }

    /// Its name, as safetensors files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::I64 => "I64",
            Self::I32 => "I32",
            Self::I16 => "I16",
            Self::I8 => "I8",
            Self::U64 => "U64",
            Self::U32 => "U32",
            Self::U16 => "U16",
            Self::U8 => "U8",
            Self::Bool => "BOOL",
            Self::Other(name, _) => name,
        }
    }
}
