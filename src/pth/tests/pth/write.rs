//! Files of every container, written byte by byte.
//! Unaware of what a test does with them.

pub use crate::zip::{deflated, stored, zip};

/// A pickle of `{name: tensor}` with one storage of `count` float32 numbers, by protocol 2.
pub fn state(name: &str, count: u8) -> Vec<u8> {
    let mut out = b"\x80\x02}".to_vec();
    text(name, &mut out);
    out.extend(tensor("0", count));
    out.extend(b"s.");
    out
}

pub fn text(text: &str, out: &mut Vec<u8>) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Opcodes for a tensor of `count` numbers.
pub fn tensor(key: &str, count: u8) -> Vec<u8> {
    let mut out = b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    text("storage", &mut out);
    out.extend(b"ctorch\nFloatStorage\n");
    text(key, &mut out);
    text("cpu", &mut out);
    out.extend([b'K', count]);
    out.extend(b"tQK\0");
    out.extend([b'K', count, 0x85, b'K', 1, 0x85, 0x89]);
    out.extend(b"ccollections\nOrderedDict\n)RtR");
    out
}

/// An archive as `PyTorch` writes it, around a pickle and its one storage.
pub fn archive(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    zip(&[stored("a/data.pkl", pickle), stored("a/data/0", storage)])
}

/// The legacy form around a pickle and its one storage `0` of float32 numbers.
pub fn legacy(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    let mut out =
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}"
            .to_vec();
    text("little_endian", &mut out);
    out.extend(b"\x88s.");
    out.extend(pickle);
    out.extend(b"\x80\x02]");
    text("0", &mut out);
    out.extend(b"a.");
    out.extend((storage.len() as u64 / 4).to_le_bytes());
    out.extend(storage);
    out
}

/// A TAR archive of entries: name, type, the size it claims, bytes.
pub fn tar(entries: &[(&str, u8, u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, kind, size, bytes) in entries {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[156] = *kind;
        header[257..262].copy_from_slice(b"ustar");
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum::<u32>() + 8 * 32;
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[155] = b' ';
        out.extend(header);
        out.extend(*bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// The four entries of `PyTorch`'s first form, with one tensor `w` of two float32 numbers.
pub fn tar_parts() -> [Vec<u8>; 4] {
    let mut system = b"\x80\x02}".to_vec();
    text("little_endian", &mut system);
    system.extend(b"\x88s.");
    let mut storages = b"\x80\x02K\x01.\x80\x02(K\x07".to_vec();
    text("cpu", &mut storages);
    storages.extend(b"ctorch\nFloatStorage\nt.");
    storages.extend(2_u64.to_le_bytes());
    storages.extend([1_f32, -2.0].map(f32::to_le_bytes).concat());
    storages.extend(b"\x80\x02].");
    let mut tensors = b"\x80\x02K\x01.\x80\x02(K\x09K\x07ctorch\nFloatTensor\nt.".to_vec();
    tensors.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    for number in [2_u64, 1, 0] {
        tensors.extend(number.to_le_bytes());
    }
    let mut pickle = b"\x80\x02}".to_vec();
    text("w", &mut pickle);
    text("9", &mut pickle);
    pickle.extend(b"Qs.");
    [system, storages, tensors, pickle]
}

pub fn first_form() -> Vec<u8> {
    let parts = tar_parts();
    let names = ["sys_info", "storages", "tensors", "pickle"];
    let entries: Vec<(&str, u8, u64, &[u8])> = names
        .iter()
        .zip(&parts)
        .map(|(name, part)| (*name, b'0', part.len() as u64, part.as_slice()))
        .collect();
    tar(&entries)
}
