//! What a plain scalar means once a type is asked for: its text is kept until then.
//! Unaware of YAML's other forms and of what the value is for.
//!
//! ```text
//!   007   a text: `007`      a fraction: 7       a whole number: refused, it may be octal
//!   1.10  a text: `1.10`     a fraction: 1.1
//!   0x10  a text: `0x10`     a whole number: 16
//! ```

/// What the core schema of YAML 1.2 reads in a plain scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Whole(i128),
    Fraction(f64),
    Text,
}

/// The spellings of nothing; the empty one is that of a key without a value.
const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];

/// The spelling of nothing that `text` is, if it is one.
pub(crate) fn null(text: &str) -> Option<&'static str> {
    NULLS.into_iter().find(|null| *null == text)
}

/// What `text` means where it stands without quotes.
pub(crate) fn meaning(text: &str) -> Meaning {
    match text {
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        _ if null(text).is_some() => return Meaning::Null,
        _ => {}
    }
    // Most scalars are names: no number begins with a letter.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Meaning::Text;
    }
    match (whole(text), fraction(text)) {
        (Some(number), _) => Meaning::Whole(number),
        (None, Some(number)) => Meaning::Fraction(number),
        (None, None) => Meaning::Text,
    }
}

/// `12`, `-7`, `+1`, `0x1f`, `0o17`, `0b1`, `1_000`. A leading zero may be meant as octal, so it is no whole number.
fn whole(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let prefixed = |lower, upper| {
        unsigned
            .strip_prefix(lower)
            .or_else(|| unsigned.strip_prefix(upper))
    };
    let (radix, digits) = match (
        prefixed("0x", "0X"),
        prefixed("0o", "0O"),
        prefixed("0b", "0B"),
    ) {
        (Some(digits), ..) => (16, digits),
        (_, Some(digits), _) => (8, digits),
        (.., Some(digits)) => (2, digits),
        _ => (10, unsigned),
    };
    let between = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let good = between && digits.chars().all(|c| c == '_' || c.is_digit(radix));
    let octal = radix == 10 && digits.len() > 1 && digits.starts_with('0');
    if !good || octal {
        return None;
    }
    let number = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}

/// `0.5`, `.5`, `1.`, `1e-4`, `007`, `.inf`, `.nan`; not the spellings of programming languages (`inf`, `NaN`).
fn fraction(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        _ => {}
    }
    let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse()
        .ok()
        .filter(|_| number && unsigned.chars().all(digits))
}

/// The one spelling of a number, for the label of an axis whose field is a number: `1.0` and `1` are one member.
pub(crate) fn number_text(text: &str) -> Option<String> {
    match meaning(text) {
        Meaning::Whole(number) => Some(number.to_string()),
        Meaning::Fraction(number) => Some(number.to_string()),
        Meaning::Null | Meaning::Bool(_) | Meaning::Text => None,
    }
}

/// Whether two texts are the same number, digit for digit where they are whole.
pub(crate) fn same_number(a: &str, b: &str) -> bool {
    if let (Ok(a), Ok(b)) = (a.parse::<i128>(), b.parse::<i128>()) {
        return a == b;
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b).is_eq(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let whole = [
            ("0", 0),
            ("-7", -7),
            ("+1", 1),
            ("0x10", 16),
            ("-0x10", -16),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1000),
            ("18446744073709551615", u64::MAX.into()),
            ("-9223372036854775808", i64::MIN.into()),
        ];
        for (text, number) in whole {
            assert_eq!(meaning(text), Meaning::Whole(number), "{text}");
        }
        for (text, number) in [
            ("007", 7.0),
            ("1.10", 1.1),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1e3),
        ] {
            assert_eq!(meaning(text), Meaning::Fraction(number), "{text}");
        }
        for text in ["", "~", "null", "NULL"] {
            assert_eq!(meaning(text), Meaning::Null, "{text}");
        }
        for text in [
            "yes",
            "No",
            "on",
            "off",
            "y",
            "nan",
            "inf",
            "-inf",
            "infinity",
            "1.2.3",
            "12:30",
            "2026-11-24",
            "0x",
            "1__0",
            "_1",
            "1_",
            "+",
            "-",
            ".",
            "e1",
            "-e1",
            "1e",
            "4x",
            "nUll",
        ] {
            assert_eq!(meaning(text), Meaning::Text, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_compared_digit_for_digit() {
        assert!(same_number("1", "1.0") && same_number("0.5", "0.50"));
        assert!(!same_number("18446744073709551615", "18446744073709551614"));
        assert!(!same_number("a", "a"));
    }
}
