//! The wrapper around the work of every media thread. A panic there is a defect, ours or of a library, and costs one
//! track at most: it becomes an error like any other end of a source or sink, told where the owner of the track looks
//! for it ([`Fate`]), and all else goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Error;
use super::devices::Fate;

/// Carries out `work`; a panic comes back as [`Error::Crashed`] that names `what` (as in "the camera").
pub fn guard<T>(what: &'static str, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // What the work had alone is dropped or made anew by the caller. What it shares lies behind locks around plain
    // values, whose poison is ignored wherever they are taken.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        tracing::error!(what, "a media thread panicked");
        Err(Error::Crashed { what })
    })
}

/// Carries out `work` to its end. Why it ended, if it did so by an error or a panic, is told to `fate`.
pub fn watch(what: &'static str, fate: &Fate, work: impl FnOnce() -> Result<(), Error>) {
    if let Err(error) = guard(what, work) {
        tracing::warn!("{what} ended: {error}");
        fate.set(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_once_as_an_error_that_names_the_part() {
        let fate = Fate::default();
        watch("the test", &fate, || panic!("as a library may"));
        watch("the test", &fate, || Err(Error::NoSource));
        let told = fate.take().expect("an error");
        assert!(matches!(told, Error::Crashed { what: "the test" }), "the first one stays: {told}");
        assert!(told.to_string().contains("the test") && told.to_string().contains("; "), "{told}");
        assert!(fate.take().is_none());
        assert!(matches!(guard("the test", || Ok(7)), Ok(7)));
    }
}
