//! Which variables hold secrets, by the look of their names.
//! Unaware of their values, and of what is done about them.

/// Parts of names of variables whose values are secrets.
const SENSITIVE: [&str; 7] = [
    "KEY",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "CREDENTIAL",
];

/// Whether a variable of this name likely holds a secret.
pub fn is_sensitive(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SENSITIVE.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "API_KEY",
            "token",
            "GH_TOKEN",
            "DB_PASSWORD",
            "Secret",
            "AWS_CREDENTIALS",
        ] {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["HOME", "DATA", "SEED", "PIPELINE_DATA"] {
            assert!(!is_sensitive(name), "{name}");
        }
    }
}
