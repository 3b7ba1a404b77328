//! Tests of the rules engine on small conversations.

use super::*;
use crate::domain::scorecard_toml::{DEFAULT_SCORECARD, parse};
use crate::pipeline::score::test_call::conversation;

fn judge(item: &str, transcript: &Transcript, metrics: Metrics) -> ItemScore {
    let text = format!(
        "id = \"t\"\nname = \"T\"\n[[criteria]]\nkey = \"c\"\nname = \"C\"\n[[criteria.items]]\nkey = \"i\"\nname = \"I\"\n{item}"
    );
    let card = parse(&text, 1).expect("a valid scorecard");
    let score = Rules::compile(card).apply(transcript, metrics);
    score.criteria[0].items[0].clone()
}

use Speaker::{Client, Operator};

#[test]
fn a_phrase_counts_in_its_window_and_from_its_speaker_only() {
    let call = conversation(
        Separation::Channels,
        &[
            (Client, 1, "Здравствуйте!"),
            (Operator, 30, "Здравствуйте, слушаю вас."),
        ],
    );
    let item = "phrases = [\"здравств*\"]\nfirst_s = 20";
    let score = judge(item, &call, Metrics::default());
    assert_eq!(score.verdict, Verdict::Failed);
    assert_eq!(score.reason.code, ReasonCode::PhraseAbsent);
    assert_eq!(score.evidence[0].kind, EvidenceKind::Expected);
    assert_eq!(
        score.evidence[0].start_ms, 30_000,
        "the operator's first turn"
    );
    let anybody = judge(
        &format!("{item}\nspeaker = \"any\""),
        &call,
        Metrics::default(),
    );
    assert_eq!(anybody.verdict, Verdict::Met);
    assert_eq!(anybody.evidence[0].quote, "Здравствуйте!");
    let later = judge(
        "phrases = [\"здравств*\"]\nfirst_s = 40",
        &call,
        Metrics::default(),
    );
    assert_eq!(
        (later.verdict, later.evidence[0].start_ms),
        (Verdict::Met, 30_000)
    );
}

#[test]
fn the_last_seconds_are_counted_from_the_last_word() {
    let call = conversation(
        Separation::Channels,
        &[(Operator, 1, "До свидания."), (Client, 100, "Подождите!")],
    );
    let item = "phrases = [\"до свидания\"]\nlast_s = ";
    assert_eq!(
        judge(&format!("{item}30"), &call, Metrics::default()).verdict,
        Verdict::Failed
    );
    assert_eq!(
        judge(&format!("{item}120"), &call, Metrics::default()).verdict,
        Verdict::Met
    );
}

#[test]
fn what_must_not_be_said_fails_with_the_quote() {
    let item = "phrases = [\"идиот*\"]\nexcept = [\"не идиот\"]\nmax = 0\nauto_fail = true";
    let rude = conversation(
        Separation::Channels,
        &[(Operator, 5, "Вы что, идиот? Думайте.")],
    );
    let score = judge(item, &rude, Metrics::default());
    assert_eq!(score.verdict, Verdict::Failed);
    assert_eq!(score.reason.code, ReasonCode::PhraseForbiddenFound);
    assert_eq!(
        score.evidence[0].quote, "Вы что, идиот?",
        "the sentence it stands in"
    );
    let kind = conversation(Separation::Channels, &[(Operator, 5, "Вы не идиот.")]);
    let score = judge(item, &kind, Metrics::default());
    assert_eq!(
        (score.verdict, score.reason.code),
        (Verdict::Met, ReasonCode::PhraseForbiddenAbsent)
    );
    assert_eq!(score.evidence[0].kind, EvidenceKind::Checked);
}

#[test]
fn an_answer_is_asked_for_only_where_there_was_a_trigger() {
    let item = "phrases = [\"понимаю вас\"]\nafter = { phrases = [\"дорого\"], within_s = 10 }";
    let calm = conversation(Separation::Channels, &[(Client, 1, "Мне подходит.")]);
    let score = judge(item, &calm, Metrics::default());
    assert_eq!(
        (score.verdict, score.reason.code),
        (Verdict::NotApplicable, ReasonCode::TriggerAbsent)
    );
    let answered = conversation(
        Separation::Channels,
        &[(Client, 1, "Это дорого."), (Operator, 5, "Понимаю вас.")],
    );
    assert_eq!(
        judge(item, &answered, Metrics::default()).verdict,
        Verdict::Met
    );
    let late = conversation(
        Separation::Channels,
        &[(Client, 1, "Это дорого."), (Operator, 50, "Понимаю вас.")],
    );
    let score = judge(item, &late, Metrics::default());
    assert_eq!(score.verdict, Verdict::Failed);
    assert_eq!(
        score.evidence[0].quote, "Это дорого.",
        "what was left without an answer"
    );
    let before = conversation(
        Separation::Channels,
        &[(Operator, 1, "Понимаю вас."), (Client, 5, "Это дорого.")],
    );
    assert_eq!(
        judge(item, &before, Metrics::default()).verdict,
        Verdict::Failed
    );
}

#[test]
fn metrics_are_held_against_bounds() {
    let call = conversation(Separation::Channels, &[(Operator, 1, "да")]);
    let pause = |ms| Metrics {
        longest_pause_ms: ms,
        pauses: vec![Span {
            start_ms: 500,
            end_ms: 500 + ms,
        }],
        ..Metrics::default()
    };
    let item = "metric = \"longest_pause\"\nmax = 30";
    let long = judge(item, &call, pause(31_000));
    assert_eq!(
        (long.verdict, long.reason.value),
        (Verdict::Failed, Some(31.0))
    );
    assert_eq!(
        (long.evidence[0].kind, long.evidence[0].start_ms),
        (EvidenceKind::Moment, 500)
    );
    assert_eq!(judge(item, &call, pause(30_000)).verdict, Verdict::Met);
    let unknown = judge("metric = \"patience\"\nmax = 3", &call, Metrics::default());
    assert_eq!(unknown.reason.code, ReasonCode::MetricUnavailable);
}

#[test]
fn without_speakers_their_items_do_not_apply() {
    let mut call = conversation(
        Separation::Unseparated,
        &[(Speaker::Unknown, 1, "Здравствуйте!")],
    );
    call.speech.clear();
    let score = judge("phrases = [\"здравств*\"]", &call, Metrics::default());
    assert_eq!(
        (score.verdict, score.reason.code),
        (Verdict::NotApplicable, ReasonCode::SpeakersUnknown)
    );
    let anybody = judge(
        "phrases = [\"здравств*\"]\nspeaker = \"any\"",
        &call,
        Metrics::default(),
    );
    assert_eq!(anybody.verdict, Verdict::Met);
}

/// A call that a good sales manager would give full marks, and one that nobody would.
#[test]
fn the_default_scorecard_tells_a_good_call_from_a_bad_one() {
    let rules = Rules::compile(parse(DEFAULT_SCORECARD, 1).expect("valid"));
    let apply = |call: &Transcript| {
        let metrics = crate::pipeline::score::metrics::compute(
            call,
            &crate::domain::Envelope::default(),
            120_000,
            &rules.hold,
            &rules.back_channels,
        );
        rules.apply(call, metrics)
    };
    let good = apply(&conversation(
        Separation::Channels,
        &[
            (
                Operator,
                0,
                "Добрый день! Компания Ромашка, меня зовут Ольга. Чем могу помочь? Как к вам обращаться?",
            ),
            (
                Client,
                10,
                "Меня зовут Сергей, у меня сломался чайник, я купил его у вас прошлым летом.",
            ),
            (
                Operator,
                16,
                "Сергей, понимаю вас, это неприятно. Подскажите, пожалуйста, какая модель вас интересует?",
            ),
            (
                Client,
                25,
                "Обычная, такая же как была, только это дорого для меня.",
            ),
            (
                Operator,
                30,
                "Понимаю вас. Могу предложить скидку десять процентов, вам подойдёт?",
            ),
            (Client, 40, "Да, это меня устроит, хорошо."),
            (
                Operator,
                43,
                "Договорились, завтра курьер привезёт заказ. Спасибо за звонок, всего доброго, до свидания!",
            ),
        ],
    ));
    let failed: Vec<&str> = good
        .criteria
        .iter()
        .flat_map(|c| &c.items)
        .filter(|item| item.verdict == Verdict::Failed)
        .map(|item| item.key.as_str())
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(good.overall_percent, Some(100.0));
    let bad = apply(&conversation(
        Separation::Channels,
        &[
            (Operator, 0, "Алло. Чего надо?"),
            (Client, 5, "Мой заказ не пришёл, это очень неприятно."),
            (
                Operator,
                12,
                "Это ваша вина. Я тут ни при чём, мне всё равно. Вы обязаны оплатить.",
            ),
        ],
    ));
    let percents: Vec<Option<f64>> = bad.criteria.iter().map(|c| c.percent).collect();
    assert!(bad.overall_percent.expect("scored") < 25.0, "{percents:?}");
    assert_eq!(
        bad.criteria[2].percent,
        Some(0.0),
        "rudeness fails the criterion"
    );
    assert!(bad.criteria[2].auto_failed);
    for item in good
        .criteria
        .iter()
        .chain(&bad.criteria)
        .flat_map(|c| &c.items)
    {
        if item.verdict != Verdict::NotApplicable {
            assert!(!item.evidence.is_empty(), "{} has no evidence", item.key);
        }
    }
}
