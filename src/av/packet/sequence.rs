//! Sans-IO. Numbers that wrap on the wire and do not inside (serial number arithmetic, RFC 1982).

/// Extends 32-bit numbers to 64 bits, each taken as the one nearest to the newest seen.
#[derive(Debug, Clone, Default)]
pub struct Extender {
    newest: Option<u64>,
}

/// The first number is placed here, so that older ones that come late are not negative.
const BASE: u64 = 1 << 33;

impl Extender {
    /// The number without wrap. Remembers the newest.
    pub fn extend(&mut self, value: u32) -> u64 {
        let extended = self.peek(value);
        self.newest = Some(self.newest.map_or(extended, |newest| newest.max(extended)));
        extended
    }

    /// The number without wrap, not remembered.
    pub fn peek(&self, value: u32) -> u64 {
        match self.newest {
            None => BASE + u64::from(value),
            Some(newest) => {
                let low = u32::try_from(newest & u64::from(u32::MAX)).unwrap_or(0);
                newest.saturating_add_signed(i64::from(value.wrapping_sub(low).cast_signed()))
            }
        }
    }

    /// The newest seen.
    pub fn newest(&self) -> Option<u64> {
        self.newest
    }
}

/// True when `a` comes after `b`.
pub fn newer(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_go_on_after_the_wrap() {
        let mut extender = Extender::default();
        let first = extender.extend(u32::MAX - 1);
        assert_eq!(extender.extend(1), first + 3);
        assert_eq!(extender.extend(u32::MAX), first + 1);
        assert_eq!(extender.newest(), Some(first + 3));
        assert!(newer(1, u32::MAX) && !newer(u32::MAX, 1) && !newer(5, 5));
    }

    proptest! {
        #[test]
        fn small_steps_are_kept(start: u32, steps in proptest::collection::vec(-1000i32..1000, 1..50)) {
            let mut extender = Extender::default();
            let (mut wire, mut expect) = (start, extender.extend(start));
            for step in steps {
                wire = wire.wrapping_add_signed(step);
                expect = expect.saturating_add_signed(step.into());
                prop_assert_eq!(extender.extend(wire), expect);
            }
        }

        #[test]
        fn any_numbers_are_taken(values in proptest::collection::vec(any::<u32>(), 0..200)) {
            let mut extender = Extender::default();
            for value in values {
                extender.extend(value);
            }
        }
    }
}
