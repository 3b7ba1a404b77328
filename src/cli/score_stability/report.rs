//! What several scorings of one call tell: how far percents lie apart, which items
//! were not always judged the same, what it took.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::super::analyze::percent;
use super::EngineArgument;
use crate::domain::score::{ItemScore, ModelNote, Score, Verdict, one_decimal};
use crate::llm::LlmError;

/// One scoring.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Run {
    overall_percent: Option<f64>,
    /// In the order of the scorecard.
    criteria: Vec<Option<f64>>,
    #[serde(skip)]
    verdicts: Vec<Verdict>,
    /// Quotes of the model, and those of them that are in the transcript.
    quotes: u32,
    confirmed: u32,
    input_tokens: u32,
    output_tokens: u32,
    seconds: f64,
    /// Stable name and words of what went wrong: then there is no score.
    pub(super) error: Option<(&'static str, String)>,
}

/// How far percents lie apart. Scorings without a percent are in no figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Spread {
    name: String,
    min: Option<f64>,
    max: Option<f64>,
    /// Largest minus smallest.
    spread: Option<f64>,
    mean: Option<f64>,
    /// Standard deviation of the sample (n − 1); absent for fewer than two.
    deviation: Option<f64>,
}

/// An item that was not always judged the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Unsteady {
    key: String,
    name: String,
    /// How often each verdict was given.
    verdicts: BTreeMap<&'static str, u32>,
    /// Scorings with another verdict than the most frequent one.
    differing_runs: u32,
}

/// What left the machine.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Sent {
    /// To whom; absent when nothing was sent.
    pub(super) host: Option<String>,
    pub(super) model: Option<String>,
    pub(super) requests: u32,
    pub(super) characters: u64,
    /// Different pieces of personal data that were hidden.
    pub(super) hidden: usize,
    /// By the prices of the settings.
    pub(super) cost: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    engine: EngineArgument,
    scorecard: String,
    items: usize,
    runs: Vec<Run>,
    overall: Spread,
    criteria: Vec<Spread>,
    unsteady: Vec<Unsteady>,
    /// Share of the model's quotes that are in the transcript, 0–100; absent without quotes.
    verified_percent: Option<f64>,
    sent: Sent,
}

pub(super) fn items(score: &Score) -> impl Iterator<Item = &ItemScore> {
    score.criteria.iter().flat_map(|criterion| &criterion.items)
}

impl Run {
    pub(super) fn new(scored: Result<Score, LlmError>, seconds: f64) -> Self {
        let score = match scored {
            Ok(score) => score,
            Err(error) => {
                return Self {
                    seconds,
                    error: Some((error.code(), error.to_string())),
                    ..Self::default()
                };
            }
        };
        let note = score.model.as_ref();
        let of = |number: fn(&ModelNote) -> u32| note.map_or(0, number);
        Self {
            overall_percent: score.overall_percent,
            criteria: score.criteria.iter().map(|one| one.percent).collect(),
            verdicts: items(&score).map(|item| item.verdict).collect(),
            quotes: of(|note| note.quotes),
            confirmed: of(|note| note.confirmed),
            input_tokens: of(|note| note.input_tokens),
            output_tokens: of(|note| note.output_tokens),
            seconds,
            error: None,
        }
    }
}

impl Spread {
    fn of(name: &str, percents: impl Iterator<Item = Option<f64>>) -> Self {
        let all: Vec<f64> = percents.flatten().collect();
        let n = all.len() as f64;
        let min = all.iter().copied().reduce(f64::min);
        let max = all.iter().copied().reduce(f64::max);
        let mean = (!all.is_empty()).then(|| all.iter().sum::<f64>() / n);
        let deviation = mean.filter(|_| all.len() > 1).map(|mean| {
            let squares: f64 = all.iter().map(|one| (one - mean).powi(2)).sum();
            (squares / (n - 1.0)).sqrt()
        });
        Self {
            name: name.to_owned(),
            min,
            max,
            spread: min.zip(max).map(|(min, max)| one_decimal(max - min)),
            mean: mean.map(one_decimal),
            deviation: deviation.map(|value| (value * 100.0).round() / 100.0),
        }
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Failed => "failed",
        Verdict::NotApplicable => "not_applicable",
        Verdict::Unconfirmed => "unconfirmed",
    }
}

fn unsteady(first: &Score, runs: &[Run]) -> Vec<Unsteady> {
    let mut found = Vec::new();
    for (at, item) in items(first).enumerate() {
        let mut verdicts: BTreeMap<&'static str, u32> = BTreeMap::new();
        for given in runs.iter().filter_map(|run| run.verdicts.get(at)) {
            *verdicts.entry(verdict(*given)).or_default() += 1;
        }
        if verdicts.len() > 1 {
            let most = verdicts.values().copied().max().unwrap_or(0);
            found.push(Unsteady {
                key: item.key.clone(),
                name: item.name.clone(),
                differing_runs: verdicts.values().sum::<u32>() - most,
                verdicts,
            });
        }
    }
    found.sort_by_key(|item| std::cmp::Reverse(item.differing_runs));
    found
}

impl Report {
    pub(super) fn new(
        file: &Path,
        engine: EngineArgument,
        first: &Score,
        runs: Vec<Run>,
        sent: Sent,
    ) -> Self {
        let scored = || runs.iter().filter(|run| run.error.is_none());
        let sum = |number: fn(&Run) -> u32| runs.iter().map(number).sum::<u32>();
        let (quotes, confirmed) = (sum(|run| run.quotes), sum(|run| run.confirmed));
        Self {
            file: file.display().to_string(),
            engine,
            scorecard: first.scorecard_name.clone(),
            items: items(first).count(),
            overall: Spread::of("Σ", scored().map(|run| run.overall_percent)),
            criteria: first
                .criteria
                .iter()
                .enumerate()
                .map(|(at, one)| Spread::of(&one.name, scored().map(|run| run.criteria[at])))
                .collect(),
            unsteady: unsteady(first, &runs),
            verified_percent: (quotes > 0)
                .then(|| one_decimal(f64::from(confirmed) / f64::from(quotes) * 100.0)),
            runs,
            sent,
        }
    }

    pub(super) fn text(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or("—".to_owned(), |value| format!("{value:.1}"));
        let fine =
            |value: Option<f64>| value.map_or("—".to_owned(), |value| format!("{value:.2}"));
        let mut lines = vec![
            String::new(),
            format!(
                "{:<24} {:>8} {:>8} {:>8} {:>8} {:>10}",
                "", "min %", "max %", "spread", "mean %", "deviation"
            ),
        ];
        for spread in self.criteria.iter().chain([&self.overall]) {
            lines.push(format!(
                "{:<24} {:>8} {:>8} {:>8} {:>8} {:>10}",
                spread.name,
                number(spread.min),
                number(spread.max),
                number(spread.spread),
                number(spread.mean),
                fine(spread.deviation)
            ));
        }
        lines.push(format!(
            "\nverdicts that changed: {} of {} items",
            self.unsteady.len(),
            self.items
        ));
        for item in &self.unsteady {
            let given: Vec<String> = item
                .verdicts
                .iter()
                .map(|(verdict, times)| format!("{verdict} {times}×"))
                .collect();
            lines.push(format!(
                "  {} ({}): {}; {} run(s) differ",
                item.name,
                item.key,
                given.join(", "),
                item.differing_runs
            ));
        }
        let sum = |number: fn(&Run) -> u32| self.runs.iter().map(number).sum::<u32>();
        if self.engine == EngineArgument::Model {
            lines.push(format!(
                "quotes found in the transcript: {} of {} ({})",
                sum(|run| run.confirmed),
                sum(|run| run.quotes),
                percent(self.verified_percent)
            ));
            lines.push(format!(
                "tokens: {} read, {} written",
                sum(|run| run.input_tokens),
                sum(|run| run.output_tokens)
            ));
        }
        let seconds: f64 = self.runs.iter().map(|run| run.seconds).sum();
        let mean = seconds / self.runs.len().max(1) as f64;
        lines.push(format!(
            "time: {} in all, {} a run",
            time(seconds),
            time(mean)
        ));
        lines.push(match &self.sent.host {
            None => "sent: nothing left this machine".to_owned(),
            Some(host) => format!(
                "sent: {} characters in {} request(s) to {host}, {} piece(s) of personal data hidden; this is not in the server's ledger",
                self.sent.characters, self.sent.requests, self.sent.hidden
            ),
        });
        lines.join("\n")
    }
}

/// A length of time that reads well, be it of the rules or of a model.
fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

pub(super) fn line(number: u32, run: &Run, first: &Score) -> String {
    let head = format!("run {number:>3}  ");
    if let Some((code, message)) = &run.error {
        return format!("{head}failed ({code}): {message}");
    }
    let criteria: Vec<String> = first
        .criteria
        .iter()
        .zip(&run.criteria)
        .map(|(one, value)| format!("{} {}", one.name, percent(*value)))
        .collect();
    format!(
        "{head}Σ {}  {}  {}",
        percent(run.overall_percent),
        criteria.join("  "),
        time(run.seconds)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Metrics;
    use crate::domain::score::{CriterionScore, Engine, ItemScore, Reason, ReasonCode};
    use Verdict::{Failed, Met, Unconfirmed};

    fn first() -> Score {
        let item = |key: &str| ItemScore {
            key: key.into(),
            name: key.to_uppercase(),
            name_en: None,
            weight: 1.0,
            auto_fail: false,
            verdict: Met,
            reason: Reason {
                code: ReasonCode::PhraseFound,
                value: None,
                threshold: None,
                unit: None,
            },
            evidence: Vec::new(),
            judged_by: Engine::Rules,
            comment: None,
        };
        Score {
            scorecard_id: "card".into(),
            scorecard_version: 1,
            scorecard_name: "Card".into(),
            engine: Engine::Rules,
            level: 2,
            overall_percent: Some(50.0),
            criteria: vec![CriterionScore {
                key: "c".into(),
                name: "C".into(),
                name_en: None,
                weight: 1.0,
                percent: Some(50.0),
                auto_failed: false,
                items: vec![item("a"), item("b"), item("c")],
            }],
            metrics: Metrics::default(),
            model: None,
        }
    }

    fn run(percent: f64, verdicts: [Verdict; 3]) -> Run {
        Run {
            overall_percent: Some(percent),
            criteria: vec![Some(percent)],
            verdicts: verdicts.to_vec(),
            quotes: 4,
            confirmed: 3,
            ..Run::default()
        }
    }

    #[test]
    fn spread_and_unsteady_items_are_as_counted_by_hand() {
        let runs = vec![
            run(60.0, [Met, Failed, Met]),
            run(70.0, [Met, Met, Met]),
            run(80.0, [Met, Failed, Met]),
            run(70.0, [Met, Unconfirmed, Failed]),
            Run {
                error: Some(("llm_unusable", "no".into())),
                ..Run::default()
            },
        ];
        let path = Path::new("a.mp3");
        let report = Report::new(path, EngineArgument::Model, &first(), runs, Sent::default());
        let overall = &report.overall;
        assert_eq!(
            (overall.min, overall.max, overall.spread, overall.mean),
            (Some(60.0), Some(80.0), Some(20.0), Some(70.0))
        );
        // Squares 100 + 0 + 100 + 0, divided by 3.
        assert_eq!(overall.deviation, Some(8.16));
        assert_eq!(report.criteria[0].spread, Some(20.0));
        assert_eq!(report.verified_percent, Some(75.0));
        let told: Vec<(&str, u32)> = report
            .unsteady
            .iter()
            .map(|item| (item.key.as_str(), item.differing_runs))
            .collect();
        assert_eq!(told, [("b", 2), ("c", 1)]);
        assert_eq!(report.unsteady[0].verdicts["failed"], 2);
        let text = report.text();
        assert!(
            text.contains("verdicts that changed: 2 of 3 items"),
            "{text}"
        );
        assert!(text.contains("12 of 16 (75.0 %)"), "{text}");
    }

    #[test]
    fn one_run_has_no_deviation_and_none_has_nothing() {
        let one = Spread::of("Σ", [Some(50.0), None].into_iter());
        assert_eq!((one.spread, one.deviation), (Some(0.0), None));
        let none = Spread::of("Σ", [None, None].into_iter());
        assert_eq!((none.min, none.mean, none.spread), (None, None, None));
    }
}
