//! Sans-IO. Words shown to a person, in one place.

use crate::meeting::LeftReason;

/// What follows "left".
pub const fn left(reason: LeftReason) -> &'static str {
    match reason {
        LeftReason::Goodbye => "",
        LeftReason::Timeout => " (connection lost)",
        LeftReason::Removed => " (removed)",
    }
}

/// A size with a unit, decimal as file managers show it.
pub fn bytes(count: u64) -> String {
    let (unit, name) = match count {
        0..1_000 => return format!("{count} B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    format!("{}.{} {name}", count / unit, count % unit * 10 / unit)
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_have_units() {
        let check = |count: u64, expect: &str| assert_eq!(super::bytes(count), expect);
        check(0, "0 B");
        check(999, "999 B");
        check(1_500, "1.5 kB");
        check(200_000_000, "200.0 MB");
        check(3_250_000_000, "3.2 GB");
    }
}
