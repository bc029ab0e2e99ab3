//! One program for all targets of `lets_meet::fuzz`: the variable FUZZ_TARGET names the one to run.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<String> = OnceLock::new();
    let name = TARGET.get_or_init(|| std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target of src/fuzz.rs"));
    assert!(lets_meet::fuzz::run(name, data), "there is no target {name}");
});
