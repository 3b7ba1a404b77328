//! Recordings in which nobody speaks: no text is invented for them.

use serde_json::Value;

use crate::fixtures::{bytes, clip, ffmpeg};
use crate::server::{Server, Setup};

/// Name and ffmpeg's arguments.
const RECORDINGS: &[(&str, &str)] = &[
    (
        "silence.mp3",
        "-f lavfi -i anullsrc=r=16000:cl=stereo -t 20",
    ),
    (
        "hiss.wav",
        "-f lavfi -i anoisesrc=d=20:c=pink:r=8000:a=0.004 -c:a pcm_mulaw",
    ),
    (
        "white.mp3",
        "-f lavfi -i anoisesrc=d=20:c=white:r=16000:a=0.3",
    ),
    ("tone.wav", "-f lavfi -i sine=f=440:r=8000:d=20"),
    // Ringing: one second in five.
    (
        "ringing.wav",
        "-f lavfi -i aevalsrc=0.4*sin(2*PI*425*t)*lt(mod(t\\,5)\\,1):s=8000:d=20",
    ),
    (
        "dtmf.wav",
        "-f lavfi -i aevalsrc=0.3*(sin(2*PI*697*t)+sin(2*PI*1209*t))*lt(mod(t\\,0.4)\\,0.2):s=8000:d=12",
    ),
    // Hold music: a melody over a bass, in both channels.
    (
        "music.mp3",
        "-f lavfi -i aevalsrc=(0.25*sin(2*PI*t*262*pow(2\\,floor(mod(t*2\\,8))/6))+0.12*sin(4*PI*t*262*pow(2\\,floor(mod(t*2\\,8))/6)))*exp(-3*mod(t\\,0.5))+0.2*sin(2*PI*t*65.4*(1+0.5*floor(mod(t\\,2)))):s=44100:d=20 -ac 2",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn silence_noise_and_music_have_no_words() {
    let server = Server::start(&Setup::real()).await;
    // With a call before them: nothing of it may come back in the others.
    let call = server.accepted("call.mp3", bytes(&clip(7)), &[]).await;
    server.completed(&call).await;
    let mut ids = Vec::new();
    for (name, arguments) in RECORDINGS {
        let recording = bytes(&ffmpeg(name, arguments));
        ids.push((name, server.accepted(name, recording, &[]).await));
    }
    let mut faults = Vec::new();
    for (name, id) in ids {
        let status = server.finished(&id).await;
        let result = server.result(&id).await;
        let turns = result["transcript"]["turns"].as_array().map_or(0, Vec::len);
        let empty = turns == 0
            && result["score"] == Value::Null
            && result["metrics"] == Value::Null
            && result["call"]["overall_percent"] == Value::Null
            && result["call"]["criteria"]
                .as_array()
                .is_some_and(Vec::is_empty);
        if status != "no_speech" || !empty {
            faults.push(format!("{name}: {status} {}", result["transcript"]));
        }
        // It can still be listened to.
        let wave = server.get(&format!("/waveform/{id}")).await;
        assert!(wave["duration_ms"].as_u64() > Some(10_000), "{name}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let list = server.results(&[]).await;
    assert_eq!(
        list["averages"]["scored"], 1,
        "they do not spoil the averages"
    );
    assert_eq!(list["total"].as_u64(), Some(RECORDINGS.len() as u64 + 1));
    let _ = server.stop().await;
}
