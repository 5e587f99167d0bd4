//! The samples of a JPEG file by libjpeg-turbo's code, as mozjpeg carries it: fancy upsampling, slow integer transform.
//! Unaware of markers, sizes and what is acceptable, which is asked before.

#![expect(
    unsafe_code,
    reason = "the library tells what it made up only through its error manager"
)]

use std::any::Any;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mozjpeg::decompress::DecompressBuilder;
use mozjpeg_sys::{
    J_MESSAGE_CODE, JERR_BAD_HUFF_TABLE, JERR_NO_HUFF_TABLE, JERR_NO_QUANT_TABLE,
    JERR_OUT_OF_MEMORY, JWRN_ADOBE_XFORM, JWRN_EXTRANEOUS_DATA, JWRN_HIT_MARKER,
    JWRN_HUFF_BAD_CODE, JWRN_JFIF_MAJOR, JWRN_JPEG_EOF, JWRN_MUST_RESYNC, JWRN_NOT_SEQUENTIAL,
    jpeg_common_struct, jpeg_error_mgr, jpeg_std_error,
};

/// Warnings after which all samples are still the file's own.
const HARMLESS: &[J_MESSAGE_CODE] = &[
    JWRN_ADOBE_XFORM,
    JWRN_EXTRANEOUS_DATA,
    JWRN_JFIF_MAJOR,
    JWRN_NOT_SEQUENTIAL,
];

/// What ends decoding.
struct Stopped(String);

/// Rows of grey or RGB samples. Errors: what the library says of the file.
pub(super) fn samples(bytes: &[u8], grey: bool, size: (usize, usize)) -> Result<Vec<u8>, String> {
    let decode = || -> std::io::Result<Vec<u8>> {
        let decoder = DecompressBuilder::new()
            .with_err(error_manager())
            .from_mem(bytes)?;
        if decoder.size() != size {
            return Err(std::io::Error::other("its headers contradict each other"));
        }
        let mut decoder = if grey {
            decoder.grayscale()
        } else {
            decoder.rgb()
        }?;
        let samples = decoder.read_scanlines()?;
        decoder.finish()?;
        Ok(samples)
    };
    // The library ends with a jump out of its depths, which here is an unwinding that no panic hook sees.
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(stopped) => Err(reason(stopped)),
    }
}

fn reason(stopped: Box<dyn Any + Send>) -> String {
    match stopped.downcast::<Stopped>() {
        Ok(stopped) => stopped.0,
        Err(panic) => resume_unwind(panic),
    }
}

/// The library's own manager with its texts, and our two ways out of it.
fn error_manager() -> jpeg_error_mgr {
    // SAFETY: all fields are integers, pointers and optional function pointers, for which zero is a value, and
    // `jpeg_std_error` does nothing but fill them; it is what the library's documentation asks for.
    let mut manager: jpeg_error_mgr = unsafe {
        let mut manager = std::mem::zeroed();
        jpeg_std_error(&mut manager);
        manager
    };
    manager.error_exit = Some(stop);
    manager.emit_message = Some(message);
    manager
}

extern "C-unwind" fn stop(info: &mut jpeg_common_struct) {
    resume_unwind(Box::new(Stopped(text(code(info)))));
}

/// Called for warnings (level -1) and traces. A warning that samples were made up ends it.
extern "C-unwind" fn message(info: &mut jpeg_common_struct, level: c_int) {
    if level < 0 && !HARMLESS.contains(&code(info)) {
        stop(info);
    }
}

/// What the library has just met.
fn code(info: &jpeg_common_struct) -> J_MESSAGE_CODE {
    // SAFETY: the library calls the two functions above with the structure whose `err` is the manager made here; it is
    // alive as long as the decoder, and nobody writes to it meanwhile.
    unsafe { (*info.err).msg_code }
}

fn text(code: J_MESSAGE_CODE) -> String {
    let known = match code {
        JWRN_HIT_MARKER => "its data end before the image does",
        JWRN_JPEG_EOF => "the file ends before the image does",
        JWRN_HUFF_BAD_CODE => "its data hold a code that is not in their table",
        JWRN_MUST_RESYNC => "its restart markers are out of order",
        JERR_BAD_HUFF_TABLE | JERR_NO_HUFF_TABLE => "a Huffman table is missing or wrong",
        JERR_NO_QUANT_TABLE => "a quantization table is missing",
        JERR_OUT_OF_MEMORY => "the decoder ran out of memory",
        _ => return format!("libjpeg-turbo refuses it (its message {code})"),
    };
    known.into()
}
