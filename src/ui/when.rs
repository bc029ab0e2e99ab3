//! The time of day as people here read it.

use crate::clock;

/// A moment by the clock on the wall here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Year, month, day.
    pub day: (i16, i8, i8),
    /// 0 to 23.
    pub hour: i8,
    /// 0 to 59.
    pub minute: i8,
}

/// Where and when this is. Tests have a place and a noon of their own: what they see is the same on every machine.
fn here() -> (jiff::tz::TimeZone, u64) {
    if cfg!(test) {
        return (jiff::tz::TimeZone::UTC, TEST_NOON);
    }
    (jiff::tz::TimeZone::system(), clock::unix_millis())
}

/// The noon of tests: 22 November 2026, in Greenwich.
pub const TEST_NOON: u64 = 1_795_348_800_000;

/// `unix_ms` here. `None` for what no calendar has: a peer's clock may say anything.
pub fn local(unix_ms: u64) -> Option<Local> {
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
    let here = moment.to_zoned(here().0);
    Some(Local { day: (here.year(), here.month(), here.day()), hour: here.hour(), minute: here.minute() })
}

/// `10:02`, and the date before it when it is another day.
pub fn told(unix_ms: u64) -> String {
    let Some(at) = local(unix_ms) else { return String::new() };
    let time = format!("{:02}:{:02}", at.hour, at.minute);
    if local(here().1).is_some_and(|now| now.day == at.day) {
        return time;
    }
    let (year, month, day) = at.day;
    format!("{year}-{month:02}-{day:02} {time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_is_a_moment_or_none() {
        assert!(local(0).is_some());
        assert_eq!(local(u64::MAX), None);
        assert_eq!(told(u64::MAX), "");
        assert_eq!(told(TEST_NOON - 61 * 60_000), "10:59");
        assert_eq!(told(TEST_NOON - 86_400_000), "2026-11-21 12:00");
    }
}
