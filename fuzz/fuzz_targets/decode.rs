//! Any bytes, taken in and decoded as a recording is: that it ends is all that is
//! asked. The first byte chooses the ending of the name. Good inputs to begin
//! with are files in target/tmp/recordings, which the tests make.

#![no_main]

use call_analytics::domain::RawEndings;
use call_analytics::pipeline::decode::decode;
use call_analytics::pipeline::media::{Input, inspect};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 4] = ["a.mp3", "a.ulaw", "a.sln", "a.g722"];

fuzz_target!(|data: &[u8]| {
    let Some((first, recording)) = data.split_first() else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("recording");
    std::fs::write(&path, recording).expect("written");
    let name = NAMES[usize::from(*first) % NAMES.len()];
    let Ok(found) = inspect(&Input::named(&path, name, &RawEndings::default())) else {
        return;
    };
    let input = Input::accepted(&path, &found.content_type);
    let _ = decode(&input, &dir.path().join("work"), &|| false, &mut |_| {});
});
