//! What is recognized in difficult recordings of real speech.

use serde_json::Value;

use crate::fixtures::{bytes, clip, ffmpeg};
use crate::server::{Server, Setup};

fn text(result: &Value) -> String {
    result["transcript"]["turns"]
        .as_array()
        .expect("turns")
        .iter()
        .filter_map(|turn| turn["text"].as_str())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signal_in_two_channels_is_said_once() {
    let server = Server::start(&Setup::real()).await;
    let dual = ffmpeg(
        "dual.mp3",
        "-t 11 -i {call} -filter_complex pan=stereo|c0=c0+c1|c1=c0+c1 -c:a libmp3lame -b:a 64k",
    );
    let id = server.accepted("dual.mp3", bytes(&dual), &[]).await;
    let result = server.completed(&id).await;
    assert_eq!(result["recording"]["dual_mono"], true);
    assert_ne!(result["call"]["speakers"], "channels");
    let text = text(&result);
    for word in ["ромашка", "недел"] {
        assert_eq!(text.matches(word).count(), 1, "{word} in: {text}");
    }
    let wave = server.get(&format!("/waveform/{id}")).await;
    assert_eq!(wave["channels"].as_array().map(Vec::len), Some(1));
    // Two people speak in one channel: told apart, or said to be unknown, never made up.
    let speakers = result["call"]["speakers"]
        .as_str()
        .expect("how they were told apart");
    let turns = result["transcript"]["turns"].as_array().expect("turns");
    match speakers {
        "diarized" => {
            let of = |word: &str| {
                turns
                    .iter()
                    .find(|turn| {
                        turn["text"]
                            .as_str()
                            .is_some_and(|text| text.to_lowercase().contains(word))
                    })
                    .map(|turn| turn["speaker"].clone())
            };
            assert_eq!(of("ромашка"), Some("operator".into()), "{turns:?}");
            assert_eq!(of("недел"), Some("client".into()), "{turns:?}");
            assert!(result["metrics"]["operator_talk_share"].is_number());
        }
        "unseparated" => {
            assert!(
                turns.iter().all(|turn| turn["speaker"] == "unknown"),
                "{turns:?}"
            );
            assert_eq!(result["metrics"]["operator_talk_share"], Value::Null);
        }
        other => panic!("{other}"),
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_speech_and_speech_in_a_video() {
    let server = Server::start(&Setup::real()).await;
    let quiet = ffmpeg(
        "quiet.wav",
        "-t 6 -i {call} -af volume=-25dB -ar 8000 -c:a pcm_alaw",
    );
    let video = ffmpeg(
        "call.mp4",
        "-f lavfi -i testsrc=size=64x64:rate=5:duration=6 -t 6 -i {call} -c:v libx264 -pix_fmt yuv420p -c:a aac -ar 44100 -shortest",
    );
    for path in [quiet, video] {
        let id = server.accepted("a", bytes(&path), &[]).await;
        let result = server.completed(&id).await;
        assert!(
            text(&result).contains("ромашка"),
            "{}: {}",
            path.display(),
            text(&result)
        );
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_says_whose_channel_is_whose() {
    let server = Server::start(&Setup {
        sections: "[sources.upload]\noperator_channel = \"right\"\n".to_owned(),
        ..Setup::real()
    })
    .await;
    // The operator of this call is heard in the left channel: what is configured holds
    // against what is said.
    let id = server.accepted("a", bytes(&clip(11)), &[]).await;
    let result = server.completed(&id).await;
    let first = &result["transcript"]["turns"][0];
    assert!(first.to_string().contains("Ромашка"), "{first}");
    assert_eq!(first["speaker"], "client", "{first}");
    let _ = server.stop().await;
}
