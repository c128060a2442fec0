//! Parses a poll file as an operator writes it. A valid poll must keep the rules of the data model.

#![no_main]

use libfuzzer_sys::fuzz_target;
use votestream_schema::poll_file;

fuzz_target!(|text: &str| {
    let Ok(definition) = poll_file::read(text) else { return };
    let Ok(valid) = definition.validated() else { return };
    assert!((2..=63).contains(&valid.options.len()));
    assert!(1 <= valid.choices_max && valid.choices_min <= valid.choices_max);
    assert!(usize::from(valid.choices_max) <= valid.options.len());
    assert!(
        valid.closes_at.is_none_or(|closes| valid.opens_at.is_some_and(|opens| opens < closes))
    );
    assert_eq!(valid.clone().validated(), Ok(valid));
});
