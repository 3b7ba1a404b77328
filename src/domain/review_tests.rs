//! Tests of reviews: steps, and what they make of a score.

use super::*;
use crate::domain::Metrics;
use crate::domain::score::{CriterionScore, Reason, ReasonCode};
use Verdict::{Failed, Met, NotApplicable, Unconfirmed};

fn item(key: &str, weight: f64, auto_fail: bool, verdict: Verdict) -> ItemScore {
    ItemScore {
        key: key.into(),
        name: key.into(),
        name_en: None,
        weight,
        auto_fail,
        verdict,
        reason: Reason {
            code: ReasonCode::PhraseFound,
            value: None,
            threshold: None,
            unit: None,
        },
        evidence: Vec::new(),
        judged_by: Engine::Rules,
        comment: None,
    }
}

fn criterion(key: &str, weight: f64, items: Vec<ItemScore>) -> CriterionScore {
    let (percent, auto_failed) = criterion_percent(&items);
    CriterionScore {
        key: key.into(),
        name: key.into(),
        name_en: None,
        weight,
        percent,
        auto_failed,
        items,
    }
}

/// Percents 33.3 (1 of 3) and 0 (an automatic fail); 25 in all.
fn score() -> Score {
    let criteria = vec![
        criterion(
            "a",
            3.0,
            vec![
                item("hello", 1.0, false, Met),
                item("name", 2.0, false, Failed),
                item("offer", 1.0, false, NotApplicable),
            ],
        ),
        criterion(
            "b",
            1.0,
            vec![
                item("rude", 1.0, true, Failed),
                item("thanks", 1.0, false, Met),
            ],
        ),
    ];
    Score {
        scorecard_id: "card".into(),
        scorecard_version: 1,
        scorecard_name: "Card".into(),
        engine: Engine::Rules,
        level: 2,
        overall_percent: overall_percent(&criteria),
        criteria,
        metrics: Metrics::default(),
        model: None,
    }
}

fn scene(machine: Verdict) -> Scene {
    Scene {
        machine,
        engine: Engine::Rules,
        model: None,
        scorecard_id: "card".into(),
        scorecard_version: 1,
        transcript_version: Some(0),
    }
}

fn none(key: &str) -> ItemReview {
    ItemReview::new(&item(key, 1.0, false, Met))
}

/// Takes a step as somebody who has seen what there is.
fn step(review: &mut ItemReview, machine: Verdict, step: Step) -> Result<(), ReviewError> {
    let seen = Seen {
        verdict: review.verdict(machine),
        revision: review.revision(),
    };
    let given = Given {
        step,
        seen,
        comment: " because \u{7}",
        author: "olga",
        at: Timestamp::UNIX_EPOCH,
    };
    review.take(&given, scene(machine))
}

fn changed(key: &str, machine: Verdict, to: Verdict) -> ItemReview {
    let mut review = none(key);
    step(&mut review, machine, Step::Change(to)).expect("changed");
    review
}

#[test]
fn percents_are_computed_from_what_people_say() {
    let score = score();
    assert_eq!(score.overall_percent, Some(25.0));
    let counts = apply(&score, &[changed("name", Failed, Met)]);
    assert_eq!(counts.criteria[0].percent, Some(100.0));
    assert_eq!(counts.criteria[1], score.criteria[1]);
    assert_eq!(counts.overall_percent, Some(75.0));
    // An automatic fail that a person takes away.
    let counts = apply(&score, &[changed("rude", Failed, Met)]);
    assert_eq!(
        (counts.criteria[1].percent, counts.criteria[1].auto_failed),
        (Some(100.0), false)
    );
    assert_eq!(counts.overall_percent, Some(50.0));
    // And one that a person finds.
    let mut met = score.clone();
    met.criteria[1].items[0].verdict = Met;
    let counts = apply(&met, &[changed("rude", Met, Failed)]);
    assert_eq!(counts.criteria[1].percent, Some(0.0));
    assert!(counts.criteria[1].auto_failed);
    // Nothing applies any more in one of them; then too little of the whole.
    let mut away = vec![
        changed("hello", Met, NotApplicable),
        changed("name", Failed, NotApplicable),
    ];
    let counts = apply(&score, &away);
    assert_eq!(counts.criteria[0].percent, None);
    assert_eq!(counts.overall_percent, Some(0.0), "a quarter is enough");
    away.push(changed("thanks", Met, NotApplicable));
    assert_eq!(apply(&score, &away).overall_percent, None);
    // The machine's own is untouched, and so is a score of which nothing is said.
    assert_eq!(score.criteria[0].items[1].verdict, Failed);
    assert_eq!(apply(&score, &[]), score);
    assert_eq!(apply(&score, &[changed("gone", Met, Failed)]), score);
}

#[test]
fn summaries_tell_both_percents_and_count() {
    let score = score();
    let plain = summary(&score, &[]);
    assert_eq!(plain, score.summary());
    let mut confirmed = none("hello");
    step(&mut confirmed, Met, Step::Confirm).expect("confirmed");
    let mut disputed = none("thanks");
    step(&mut disputed, Met, Step::Dispute).expect("disputed");
    let mut gone = none("gone");
    step(&mut gone, Met, Step::Dispute).expect("disputed");
    let told = summary(
        &score,
        &[changed("name", Failed, Met), confirmed, disputed, gone],
    );
    assert_eq!(told.overall_percent, Some(75.0));
    assert_eq!(told.machine_percent, Some(25.0));
    assert_eq!((told.changed, told.reviewed, told.disputes), (1, 2, 2));
    assert_eq!(told.criteria[0].percent, Some(100.0));
}

#[test]
fn a_word_stands_when_the_machine_changes_its_mind() {
    let review = changed("name", Failed, Met);
    for machine in [Met, Failed, NotApplicable, Unconfirmed] {
        assert_eq!(review.verdict(machine), Met);
    }
    let mut confirmed = none("name");
    step(&mut confirmed, Failed, Step::Confirm).expect("confirmed");
    assert_eq!(confirmed.verdict(Met), Failed);
    assert_eq!(confirmed.word().map(|word| word.machine), Some(Failed));
}

#[test]
fn a_word_is_taken_back_and_the_history_stays() {
    let mut review = changed("name", Failed, Met);
    assert_eq!(review.entries[0].comment, "because");
    step(&mut review, Failed, Step::Withdraw).expect("taken back");
    assert_eq!(review.word(), None);
    assert_eq!(review.verdict(Failed), Failed);
    assert_eq!(
        (review.entries[1].from, review.entries[1].to),
        (Met, Failed)
    );
    assert_eq!(
        step(&mut review, Failed, Step::Withdraw),
        Err(ReviewError::NothingToWithdraw)
    );
    assert_eq!(review.revision(), 2);
}

#[test]
fn a_dispute_is_open_until_somebody_settles_it() {
    let mut review = none("name");
    step(&mut review, Failed, Step::Dispute).expect("disputed");
    assert!(review.open_dispute().is_some());
    assert_eq!(review.word(), None, "nothing is decided yet");
    for other in [
        Step::Dispute,
        Step::Confirm,
        Step::Change(Met),
        Step::Withdraw,
    ] {
        assert_eq!(
            step(&mut review, Failed, other),
            Err(ReviewError::Disputed),
            "{other:?}"
        );
    }
    step(&mut review, Failed, Step::Accept(Met)).expect("accepted");
    assert_eq!(review.verdict(Failed), Met);
    assert!(review.open_dispute().is_none());
    for late in [Step::Accept(NotApplicable), Step::Decline] {
        assert_eq!(
            step(&mut review, Failed, late),
            Err(ReviewError::NotDisputed)
        );
    }
    step(&mut review, Failed, Step::Dispute).expect("again");
    step(&mut review, Failed, Step::Decline).expect("declined");
    assert_eq!(review.verdict(Failed), Met, "what stood before stays");
    let settled: Vec<Option<Act>> = review
        .disputes()
        .map(|(_, settled)| settled.map(|entry| entry.act))
        .collect();
    assert_eq!(settled, [Some(Act::Accepted), Some(Act::Declined)]);
}

#[test]
fn declining_is_a_word_for_the_verdict() {
    let mut review = none("name");
    step(&mut review, Failed, Step::Dispute).expect("disputed");
    step(&mut review, Failed, Step::Decline).expect("declined");
    assert_eq!(review.verdict(Met), Failed);
    // What the machine could not prove is nobody's word.
    let mut unproved = none("name");
    step(&mut unproved, Unconfirmed, Step::Dispute).expect("disputed");
    step(&mut unproved, Unconfirmed, Step::Decline).expect("declined");
    assert_eq!(unproved.word(), None);
}

#[test]
fn what_cannot_be_done() {
    let mut review = changed("name", Failed, Met);
    let before = review.clone();
    let mut given = Given {
        step: Step::Change(Failed),
        seen: Seen {
            verdict: Met,
            revision: 0,
        },
        comment: "because",
        author: "ivan",
        at: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(
        review.take(&given, scene(Failed)),
        Err(ReviewError::Stale),
        "somebody was faster"
    );
    given.seen = Seen {
        verdict: Failed,
        revision: 1,
    };
    assert_eq!(
        review.take(&given, scene(Failed)),
        Err(ReviewError::Stale),
        "another verdict was looked at"
    );
    given.seen.verdict = Met;
    for (step, comment, error) in [
        (Step::Change(Met), "because", ReviewError::SameVerdict),
        (Step::Change(Unconfirmed), "because", ReviewError::Undecided),
        (Step::Change(Failed), " \n\u{7}", ReviewError::NoComment),
        (Step::Dispute, "", ReviewError::NoComment),
        (
            Step::Confirm,
            &*"а".repeat(MAX_COMMENT + 1),
            ReviewError::LongComment,
        ),
        (Step::Decline, "because", ReviewError::NotDisputed),
    ] {
        given.step = step;
        let comment = comment.to_owned();
        let given = Given {
            comment: &comment,
            ..given.clone()
        };
        assert_eq!(review.take(&given, scene(Failed)), Err(error), "{step:?}");
    }
    assert_eq!(review, before);
    assert_eq!(
        step(&mut none("name"), Unconfirmed, Step::Confirm),
        Err(ReviewError::Undecided)
    );
    let mut long = none("name");
    for _ in 0..MAX_ENTRIES {
        step(&mut long, Met, Step::Confirm).expect("room");
    }
    assert_eq!(
        step(&mut long, Met, Step::Confirm),
        Err(ReviewError::TooMany)
    );
}
