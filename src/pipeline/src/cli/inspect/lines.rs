//! What is said of a file, for people.
//! Unaware of what kind of file it is.

/// A word and what is said of it.
pub(super) type Lines = Vec<(String, String)>;

/// One of them.
pub(super) fn line(what: &str, text: impl Into<String>) -> (String, String) {
    (what.to_owned(), text.into())
}
