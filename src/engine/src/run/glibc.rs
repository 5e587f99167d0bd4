//! Which glibc this program runs with; a worker runs with the same.
//! Unaware of what depends on it.

/// Its version, major and minor. `None` where the C library is another one.
#[cfg(target_env = "gnu")]
pub(super) fn version() -> Option<(u32, u32)> {
    parsed(&text())
}

/// The same elsewhere.
#[cfg(not(target_env = "gnu"))]
pub(super) fn version() -> Option<(u32, u32)> {
    None
}

#[cfg(target_env = "gnu")]
#[expect(
    unsafe_code,
    reason = "there is no other way to ask a running glibc, and rustix, which is used elsewhere, does not bind it. The function \
              takes nothing and, by its documentation, returns a string that ends with a zero and lies in the library itself, \
              never freed and never written; it is copied here and the pointer is forgotten"
)]
fn text() -> String {
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    version.to_string_lossy().into_owned()
}

#[cfg_attr(
    not(target_env = "gnu"),
    expect(dead_code, reason = "tested everywhere")
)]
fn parsed(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        assert_eq!(parsed("2.36"), Some((2, 36)));
        assert_eq!(parsed("2.3.6"), Some((2, 3)));
        assert_eq!(parsed("two"), None);
        #[cfg(target_env = "gnu")]
        assert!(version().is_some_and(|version| version >= (2, 17)));
    }
}
