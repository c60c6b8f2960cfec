//! The inspection of PNG files: it finds the same every time, each defect once, and the time limit checks its
//! bounds of work.

#![no_main]

use kira_users::contract::v1::MediaType;
use kira_users::verification::rules::inspect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = inspect(MediaType::Png, bytes);
    assert!(found.defects.windows(2).all(|pair| pair[0] < pair[1]), "each defect once, in order");
    assert_eq!(inspect(MediaType::Png, bytes), found);
});
