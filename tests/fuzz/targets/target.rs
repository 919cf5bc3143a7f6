//! One fuzzer for each entry of `fuzz`: the binary's name says which.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let target = fuzz::targets::named(env!("CARGO_BIN_NAME")).expect("a binary is called as its entry");
    (target.run)(input);
});
