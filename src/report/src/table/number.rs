//! Numbers as a table prints them: four decimals, as the paper does.
//! Unaware of rows and columns.

use spec::kinds::TableValue;

use super::layout::Column;

/// A value of this column.
pub(super) fn number(value: f64, column: &Column) -> String {
    match column {
        Column::Value(TableValue::Iterations | TableValue::Trainable) => thousands(value),
        Column::Value(TableValue::Masks | TableValue::Seconds) => format!("{value:.1}"),
        Column::Value(TableValue::PeakMemory) => format!("{value:.0}"),
        Column::Metric(_)
        | Column::Average(_)
        | Column::Score(_)
        | Column::Value(TableValue::Ssim) => {
            format!("{value:.4}")
        }
    }
}

/// A difference.
pub(super) fn signed(value: f64) -> String {
    let text = format!("{value:+.4}");
    // A difference that rounds to nothing has no sign.
    if text.ends_with("0.0000") && text.len() == 7 {
        "0.0000".into()
    } else {
        text
    }
}

/// The ends of an interval.
pub(super) fn between((low, high): (f64, f64)) -> String {
    format!("[{}, {}]", signed(low), signed(high))
}

/// A count, thousands parted; a mean of counts has one decimal where it needs one.
pub(super) fn thousands(value: f64) -> String {
    if value.fract().abs() > 1e-9 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_carry_a_sign_unless_they_round_to_nothing() {
        assert_eq!(signed(0.05), "+0.0500");
        assert_eq!(signed(-0.000_04), "0.0000");
        assert_eq!(signed(-10.0), "-10.0000");
        assert_eq!(between((-0.01, 0.02)), "[-0.0100, +0.0200]");
    }

    #[test]
    fn counts_are_parted() {
        assert_eq!(thousands(1_626_176.0), "1 626 176");
        assert_eq!(thousands(200.0), "200");
        assert_eq!(thousands(1250.5), "1250.5");
    }
}
