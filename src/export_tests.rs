//! Tests of the files.

use super::*;
use crate::domain::Separation;
use crate::domain::transcript::Version;

fn turn(speaker: Speaker, start_ms: u64, text: &str) -> Turn {
    Turn {
        speaker,
        words: text
            .split(' ')
            .enumerate()
            .map(|(index, text)| Word {
                start_ms: start_ms + index as u64 * 300,
                end_ms: start_ms + index as u64 * 300 + 250,
                text: text.to_owned(),
                confidence: 1.0,
                corrected: false,
            })
            .collect(),
    }
}

fn call(turns: Vec<Turn>) -> Transcript {
    Transcript {
        language: "ru".into(),
        model: "test".into(),
        separation: Separation::Channels,
        turns,
        speech: Vec::new(),
        coverage_percent: None,
        doubtful: Vec::new(),
        operator_confidence: None,
        voices: 2,
        version: Version::default(),
    }
}

fn made(turns: Vec<Turn>, format: Format, names: Names) -> String {
    write(&call(turns), "звонок.mp3", format, names, None)
}

const LONG: &str = "Добрый день, компания Ромашка, меня зовут Ольга, подскажите, пожалуйста, чем я могу вам сегодня помочь, и как к вам можно обращаться, чтобы я записала вас в журнал";

#[test]
fn subrip_is_numbered_and_bounded() {
    let turns = vec![
        turn(Speaker::Operator, 500, LONG),
        turn(Speaker::Client, 3_661_000, "Алло --> да"),
    ];
    let srt = made(turns, Format::Srt, Names::Ru);
    let cues: Vec<Vec<&str>> = srt
        .trim_end()
        .split("\n\n")
        .map(|cue| cue.lines().collect())
        .collect();
    assert!(cues.len() >= 4, "{srt}");
    let ms = |clock: &str| {
        let digits: Vec<u64> = clock
            .split([':', ','])
            .map(|part| part.parse().expect("digits"))
            .collect();
        ((digits[0] * 60 + digits[1]) * 60 + digits[2]) * 1000 + digits[3]
    };
    let mut said = Vec::new();
    for (index, cue) in cues.iter().enumerate() {
        assert_eq!(cue[0], (index + 1).to_string());
        let (from, to) = cue[1].split_once(" --> ").expect("times");
        assert!(ms(from) < ms(to) && ms(to) - ms(from) <= CUE_MS, "{cue:?}");
        assert!((3..=4).contains(&cue.len()), "{cue:?}");
        assert!(
            cue[2..]
                .iter()
                .all(|line| line.chars().count() <= LINE_CHARS),
            "{cue:?}"
        );
        said.extend(cue[2..].join(" ").split(' ').map(str::to_owned));
    }
    assert!(cues[0][1].starts_with("00:00:00,500 --> "), "{srt}");
    let last = cues.last().expect("a cue");
    assert_eq!(last[1], "01:01:01,000 --> 01:01:01,850");
    assert_eq!(last[2], "Клиент: Алло -> да");
    said.retain(|word| word != "Оператор:");
    assert_eq!(
        said[..said.len() - 4].join(" "),
        LONG,
        "no word is lost or twice"
    );
}

#[test]
fn webvtt_names_the_voice_and_escapes() {
    let turns = vec![
        turn(Speaker::Client, 1_000, "a<b & c-->d"),
        turn(Speaker::Unknown, 4_000, "кто"),
    ];
    assert_eq!(
        made(turns, Format::Vtt, Names::En),
        "WEBVTT\n\n00:00:01.000 --> 00:00:01.850\n<v Client>a&lt;b &amp; c--&gt;d\n\n00:00:04.000 --> 00:00:04.250\nкто\n\n"
    );
}

#[test]
fn cues_of_simultaneous_speech_are_in_order_and_pauses_end_them() {
    let mut first = turn(Speaker::Operator, 1_000, "раз два");
    first.words[1].start_ms = 4_500;
    first.words[1].end_ms = 4_400;
    let vtt = made(
        vec![first, turn(Speaker::Client, 2_000, "да")],
        Format::Vtt,
        Names::Ru,
    );
    let starts: Vec<&str> = vtt.lines().filter(|line| line.contains(" --> ")).collect();
    assert_eq!(
        starts,
        [
            "00:00:01.000 --> 00:00:01.250",
            "00:00:02.000 --> 00:00:02.250",
            "00:00:04.500 --> 00:00:04.600"
        ]
    );
}

#[test]
fn text_and_json() {
    let turns = || vec![turn(Speaker::Operator, 61_000, "Добрый день")];
    assert_eq!(
        made(turns(), Format::Txt, Names::Ru),
        "звонок.mp3\n\n[00:01:01] Оператор: Добрый день\n"
    );
    let json: serde_json::Value =
        serde_json::from_str(&made(turns(), Format::Json, Names::En)).expect("JSON");
    assert_eq!(json["filename"], "звонок.mp3");
    assert_eq!(json["turns"][0]["name"], "Operator");
    assert_eq!(json["turns"][0]["speaker"], "operator");
    assert_eq!(json["turns"][0]["words"][1]["start_ms"], 61_300);
}

#[test]
fn nothing_said_is_an_empty_file_of_its_kind() {
    assert_eq!(made(Vec::new(), Format::Srt, Names::Ru), "");
    assert_eq!(made(Vec::new(), Format::Vtt, Names::Ru), "WEBVTT\n\n");
}

#[test]
fn json_is_read_back() {
    let turns = vec![
        turn(Speaker::Operator, 500, "Добрый день"),
        turn(Speaker::Client, 2_000, "Алло"),
        turn(Speaker::Operator, 2_100, "да"),
    ];
    let mut written = call(turns);
    written.speech = vec![crate::domain::transcript::PartySpeech {
        speaker: Speaker::Operator,
        channel: 1,
        spans: vec![Span {
            start_ms: 400,
            end_ms: 9_000,
        }],
    }];
    let text = write(&written, "a.mp3", Format::Json, Names::Ru, None);
    let (transcript, duration_ms) = read(&format!("\u{feff}{text}")).expect("a transcript");
    assert_eq!(transcript.turns, written.turns);
    assert_eq!(transcript.speech, written.speech);
    assert_eq!(transcript.separation, Separation::Channels);
    assert_eq!(duration_ms, 9_000);

    // A file from before the separation and the speech were written.
    let mut older: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for key in ["separation", "speech"] {
        older.as_object_mut().expect("an object").remove(key);
    }
    let (transcript, duration_ms) = read(&older.to_string()).expect("a transcript");
    assert_eq!(transcript.separation, Separation::Diarized);
    assert_eq!(duration_ms, 2_350);
    let spans: Vec<usize> = transcript
        .speech
        .iter()
        .map(|party| party.spans.len())
        .collect();
    assert_eq!(spans, [2, 1]);

    // What `analyze --json` writes.
    let analyzed = serde_json::json!({"transcript": written, "media": {"duration_ms": 12_000}});
    let (transcript, duration_ms) = read(&analyzed.to_string()).expect("a transcript");
    assert_eq!((transcript, duration_ms), (written, 12_000));
}

#[test]
fn what_is_no_transcript_is_refused() {
    let word = |start: u64, end: u64| {
        format!(r#"{{"start_ms":{start},"end_ms":{end},"text":"а","confidence":1.0}}"#)
    };
    let file = |words: &str| {
        format!(
            r#"{{"language":"ru","model":"m","turns":[{{"speaker":"client","words":[{words}]}}]}}"#
        )
    };
    assert!(read(&file(&word(0, 10))).is_ok());
    let long = word(0, u64::MAX);
    let backwards = word(20, 10);
    let mixed = format!("{},{}", word(20, 30), word(0, 10));
    for words in ["", &long, &backwards, &mixed] {
        let error = read(&file(words)).expect_err("refused");
        assert!(matches!(error, ReadError::Turn(0)), "{words}: {error}");
    }
    let speech = file(&word(0, 10)).replace(
        r#""model""#,
        r#""speech":[{"speaker":"client","channel":0,"spans":[{"start_ms":9,"end_ms":1}]}],"model""#,
    );
    for text in ["", "{}", "[]", "{\"turns\":1}", &speech] {
        let error = read(text).expect_err("refused");
        assert!(matches!(error, ReadError::Form(_)), "{text}: {error}");
    }
}
