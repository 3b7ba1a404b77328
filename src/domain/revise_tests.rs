//! Tests of corrections: times, speech and turns after them.

use super::*;
use crate::domain::transcript::Version;

fn word(start_ms: u64, end_ms: u64, text: &str) -> Word {
    Word {
        start_ms,
        end_ms,
        text: text.into(),
        confidence: 0.5,
        corrected: false,
    }
}

fn turn(speaker: Speaker, start_ms: u64, text: &str) -> Turn {
    let words = text.split_whitespace().enumerate();
    Turn {
        speaker,
        words: words
            .map(|(index, text)| {
                let start_ms = start_ms + index as u64 * 400;
                word(start_ms, start_ms + 300, text)
            })
            .collect(),
    }
}

fn transcript(separation: Separation, turns: Vec<Turn>) -> Transcript {
    let mut speech: Vec<PartySpeech> = Vec::new();
    for turn in &turns {
        match speech
            .iter_mut()
            .find(|party| party.speaker == turn.speaker)
        {
            Some(party) => party.spans.push(turn.span()),
            None => speech.push(PartySpeech {
                speaker: turn.speaker,
                channel: 0,
                spans: vec![turn.span()],
            }),
        }
    }
    Transcript {
        language: "ru".into(),
        model: "test".into(),
        separation,
        turns,
        speech,
        coverage_percent: None,
        doubtful: Vec::new(),
        operator_confidence: Some(0.6),
        voices: 2,
        version: Version::default(),
    }
}

use Speaker::{Client, Operator, Unknown};

fn conversation() -> Transcript {
    transcript(
        Separation::Diarized,
        vec![
            turn(Operator, 0, "добрый день компания"),
            turn(Client, 2_000, "где мой заказ номер пять"),
            turn(Operator, 5_000, "сейчас проверю"),
        ],
    )
}

fn text(to: &str) -> NewTurn {
    NewTurn::Changed {
        text: Some(to.into()),
        speaker: None,
    }
}

fn edit(transcript: &mut Transcript, turn: usize, to: NewTurn) -> Option<Change> {
    transcript.edit(&TurnEdit { turn, to }).expect("possible")
}

fn shown(turn: &Turn) -> Vec<(&str, u64, u64, bool)> {
    turn.words
        .iter()
        .map(|word| {
            (
                word.text.as_str(),
                word.start_ms,
                word.end_ms,
                word.corrected,
            )
        })
        .collect()
}

#[test]
fn words_that_stay_keep_their_times_and_new_ones_share_the_place() {
    let mut call = conversation();
    let change = edit(&mut call, 1, text("Где мой синий заказ пятьсот шесть пять"));
    assert_eq!(
        shown(&call.turns[1]),
        [
            // The same letters: the same time, and a person stands for how it is written.
            ("Где", 2_000, 2_300, true),
            ("мой", 2_400, 2_700, false),
            // Put into the pause between two words.
            ("синий", 2_700, 2_800, true),
            ("заказ", 2_800, 3_100, false),
            // In the place of «номер», by length.
            ("пятьсот", 3_200, 3_375, true),
            ("шесть", 3_375, 3_500, true),
            ("пять", 3_600, 3_900, false),
        ]
    );
    assert_eq!(call.turns[1].words[1].confidence, 0.5);
    assert_eq!(call.turns[1].words[0].confidence, 1.0);
    assert_eq!(
        change,
        Some(Change::Edited {
            start_ms: 2_000,
            before: "где мой заказ номер пять".into(),
            after: "Где мой синий заказ пятьсот шесть пять".into(),
            speaker: false,
        })
    );
}

#[test]
fn times_stay_in_order_whatever_is_written() {
    for to in [
        "раз",
        "пять номер заказ мой где",
        "где где где мой мой заказ",
        "сначала где мой заказ номер пять потом",
        "— , где",
        "заказ\nномер\tпять\u{0}шесть",
    ] {
        let mut call = conversation();
        let before = call.turns[1].span();
        edit(&mut call, 1, text(to));
        let words = &call.turns[1].words;
        let said: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let wanted: Vec<&str> = to
            .split(|c: char| c.is_whitespace() || c == '\u{0}')
            .collect();
        assert_eq!(said, wanted);
        assert!(
            words.iter().all(|word| word.start_ms <= word.end_ms),
            "{words:?}"
        );
        assert!(
            words.windows(2).all(|two| two[0].end_ms <= two[1].start_ms),
            "{words:?}"
        );
        let after = call.turns[1].span();
        assert!(before.start_ms <= after.start_ms && after.end_ms <= before.end_ms);
    }
}

#[test]
fn nothing_changed_is_no_change() {
    let mut call = conversation();
    let before = call.clone();
    assert_eq!(edit(&mut call, 0, text("  добрый   день компания ")), None);
    let same = NewTurn::Changed {
        text: None,
        speaker: Some(Operator),
    };
    assert_eq!(edit(&mut call, 0, same), None);
    assert_eq!(call, before);
}

#[test]
fn another_speaker_takes_the_speech_and_joins_the_neighbours() {
    let mut call = conversation();
    let to = NewTurn::Changed {
        text: None,
        speaker: Some(Operator),
    };
    let change = edit(&mut call, 1, to);
    assert!(matches!(change, Some(Change::Edited { speaker: true, .. })));
    assert_eq!(call.turns.len(), 1, "three turns of one speaker are one");
    assert_eq!(call.party(Client).map(PartySpeech::total_ms), Some(0));
    assert_eq!(call.party(Operator).map(|party| party.spans.len()), Some(3));
}

#[test]
fn where_each_has_a_channel_the_speech_stays() {
    let mut call = conversation();
    call.separation = Separation::Channels;
    let before = call.speech.clone();
    let to = NewTurn::Changed {
        text: None,
        speaker: Some(Client),
    };
    edit(&mut call, 2, to);
    assert_eq!(call.speech, before);
    assert_eq!(call.turns.len(), 2);
}

#[test]
fn a_turn_is_divided_between_two() {
    let mut call = transcript(
        Separation::Diarized,
        vec![turn(Operator, 0, "где мой заказ сейчас проверю")],
    );
    let to = NewTurn::Divided(vec![
        (Client, "Где мой заказ?".into()),
        (Operator, "сейчас проверю".into()),
    ]);
    edit(&mut call, 0, to);
    assert_eq!(call.turns.len(), 2);
    assert_eq!(shown(&call.turns[1])[0], ("сейчас", 1_200, 1_500, false));
    assert_eq!(call.turns[0].text(), "Где мой заказ?");
    let client = call.party(Client).expect("speech");
    assert_eq!(
        client.spans,
        [Span {
            start_ms: 0,
            end_ms: 1_100
        }]
    );
}

#[test]
fn a_turn_without_words_is_removed() {
    let mut call = conversation();
    edit(&mut call, 1, text(" \n "));
    assert_eq!(call.turns.len(), 1, "those around it are of one speaker");
}

#[test]
fn voices_told_apart_by_a_person_count() {
    let mut call = transcript(
        Separation::Unseparated,
        vec![turn(Unknown, 0, "алло здравствуйте где заказ")],
    );
    call.operator_confidence = None;
    let to = NewTurn::Divided(vec![
        (Operator, "алло здравствуйте".into()),
        (Client, "где заказ".into()),
    ]);
    edit(&mut call, 0, to);
    assert_eq!(call.separation, Separation::Diarized);
    assert_eq!(call.operator_confidence, Some(1.0));
    assert_eq!(call.speech.len(), 2);
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut call = conversation();
    let before = call.clone();
    let mut refused = |turn, to| call.edit(&TurnEdit { turn, to }).expect_err("refused");
    assert_eq!(refused(3, text("а")), EditError::NoSuchTurn(3));
    assert_eq!(
        refused(0, text(&"а".repeat(MAX_TURN_CHARS + 1))),
        EditError::TooLong
    );
    assert_eq!(refused(0, NewTurn::Divided(Vec::new())), EditError::Parts);
    let nobody = NewTurn::Changed {
        text: None,
        speaker: Some(Unknown),
    };
    assert_eq!(refused(0, nobody), EditError::Speaker);
    assert_eq!(call, before);
}

#[test]
fn a_very_long_turn_is_aligned_at_its_ends() {
    let long: Vec<String> = (0..3_000).map(|n| format!("слово{n}")).collect();
    let mut call = transcript(
        Separation::Diarized,
        vec![turn(Operator, 0, &long.join(" "))],
    );
    let other: Vec<String> = (0..3_000)
        .map(|n| {
            if (10..2_990).contains(&n) {
                format!("иное{n}")
            } else {
                format!("слово{n}")
            }
        })
        .collect();
    edit(&mut call, 0, text(&other.join(" ")));
    let words = &call.turns[0].words;
    assert_eq!(words.len(), 3_000);
    assert!(!words[9].corrected && words[10].corrected && !words[2_990].corrected);
    assert_eq!(words[2_990].start_ms, 2_990 * 400);
}
