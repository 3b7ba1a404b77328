//! `call-analytics score-stability FILE`: one call scored several times, and how far the
//! results lie apart. Nothing is opened in the data directory but the models, so that it works
//! while the server runs; what is sent to a language model is told, not put into the ledger.

mod report;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Common;
use super::analyze::Analyst;
use crate::config::Config;
use crate::domain::score::Score;
use crate::domain::scorecard_toml;
use crate::domain::{Envelope, Transcript};
use crate::export;
use crate::llm::{Client, LlmError, Mask, Message, Shape};
use crate::pipeline::score::{Brief, Rules, judge, score};
use report::{Report, Run, Sent, items, line};

/// Largest transcript file read, in bytes.
const MAX_TRANSCRIPT: u64 = 64 << 20;
/// Largest file of instructions read, in bytes.
const MAX_INSTRUCTIONS: u64 = 1 << 20;

/// What to score, how often and by whom.
#[derive(Args)]
pub(super) struct Arguments {
    /// A recording, or a transcript: JSON from the page, the API or `analyze --json`
    file: PathBuf,
    /// How often it is scored
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Who judges [default: the language model where section [llm] turns it on, else the rules]
    #[arg(long, value_enum)]
    engine: Option<EngineArgument>,
    /// A scorecard in TOML [default: that of the settings]
    #[arg(long, value_name = "FILE")]
    scorecard: Option<PathBuf>,
    /// A text file with the team's instructions for the language model
    #[arg(long, value_name = "FILE")]
    instructions: Option<PathBuf>,
    /// Print one JSON value
    #[arg(long)]
    json: bool,
    /// Language of a recording: a two-letter code or `auto` [default: from the settings]
    #[arg(long)]
    language: Option<String>,
}

/// Who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum EngineArgument {
    Rules,
    Model,
}

/// The call, ready to be scored.
struct Subject {
    transcript: Transcript,
    envelope: Envelope,
    duration_ms: u64,
}

/// Prints standard output's errors as what they are.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())?;
    Ok(())
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    let engine = engine(&config, arguments.engine)?;
    let rules = rules(&config, arguments.scorecard.as_deref())?;
    let team = instructions(arguments.instructions.as_deref())?;
    let subject = subject(&config, arguments)?;
    anyhow::ensure!(
        !subject.transcript.turns.is_empty(),
        "{}: nobody speaks in it, so there is nothing to score",
        arguments.file.display()
    );
    let first = rules_score(&rules, &subject);
    let model = (engine == EngineArgument::Model).then(|| Client::new(config.llm.clone()));
    let mut sent = Sent::default();
    let mut runs = Vec::new();
    if !arguments.json {
        say(&heading(&arguments.file, &subject, engine, &first))?;
    }
    for number in 1..=arguments.runs {
        let started = Instant::now();
        let scored = match &model {
            None => Ok(rules_score(&rules, &subject)),
            Some(client) => by_model(client, &rules, &subject, &first, &team, &mut sent),
        };
        let stop = matches!(&scored, Err(error) if !matches!(error, LlmError::Unusable(_)));
        let run = Run::new(scored, started.elapsed().as_secs_f64());
        if !arguments.json {
            say(&line(number, &run, &first))?;
        }
        runs.push(run);
        if stop {
            // The next one would fail as well.
            break;
        }
    }
    let failed = runs.iter().any(|run| run.error.is_some());
    let report = Report::new(&arguments.file, engine, &first, runs, sent);
    if arguments.json {
        say(&serde_json::to_string(&report)?)?;
    } else {
        say(&report.text())?;
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn engine(config: &Config, asked: Option<EngineArgument>) -> anyhow::Result<EngineArgument> {
    match asked {
        Some(EngineArgument::Model) => {
            anyhow::ensure!(
                config.llm.enabled,
                "the language model is off: turn it on in section [llm] of the settings, or use --engine rules"
            );
            Ok(EngineArgument::Model)
        }
        Some(EngineArgument::Rules) => Ok(EngineArgument::Rules),
        None if config.llm.enabled => Ok(EngineArgument::Model),
        None => Ok(EngineArgument::Rules),
    }
}

fn rules(config: &Config, scorecard: Option<&Path>) -> anyhow::Result<Rules> {
    let mut card = match scorecard {
        None => crate::app::scorecard(config)?.card,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the scorecard {}", path.display()))?;
            scorecard_toml::parse(&text, 0)
                .with_context(|| format!("the scorecard {}", path.display()))?
        }
    };
    card.version = 1;
    Ok(Rules::compile(card))
}

/// The team's instructions; none are read from the store, which belongs to the server.
fn instructions(path: Option<&Path>) -> anyhow::Result<String> {
    let Some(path) = path else {
        return Ok(String::new());
    };
    text_of(path, MAX_INSTRUCTIONS).with_context(|| format!("the instructions {}", path.display()))
}

/// A file as text, refused when it is larger than `most` bytes.
fn text_of(path: &Path, most: u64) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?
        .take(most + 1)
        .read_to_string(&mut text)?;
    anyhow::ensure!(read as u64 <= most, "larger than {most} bytes");
    Ok(text)
}

fn subject(config: &Config, arguments: &Arguments) -> anyhow::Result<Subject> {
    let file = &arguments.file;
    if is_json(file).with_context(|| format!("{}", file.display()))? {
        let text = text_of(file, MAX_TRANSCRIPT).with_context(|| format!("{}", file.display()))?;
        let (transcript, duration_ms) =
            export::read(&text).with_context(|| format!("{}", file.display()))?;
        return Ok(Subject {
            transcript,
            // Loudness is not in a transcript: what is about it does not apply.
            envelope: Envelope::default(),
            duration_ms,
        });
    }
    let mut analyst = Analyst::new(config, arguments.language.as_deref())?;
    let heard = analyst
        .hear(file)
        .with_context(|| format!("{}", file.display()))?;
    Ok(Subject {
        transcript: heard.transcript,
        envelope: heard.decoded.envelope,
        duration_ms: heard.decoded.media.duration_ms,
    })
}

/// No recording begins like this.
fn is_json(file: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    std::fs::File::open(file)?
        .take(256)
        .read_to_end(&mut head)?;
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&head);
    Ok(head.trim_ascii_start().first() == Some(&b'{'))
}

fn rules_score(rules: &Rules, subject: &Subject) -> Score {
    score(
        rules,
        &subject.transcript,
        &subject.envelope,
        subject.duration_ms,
    )
}

/// Judges as the server does: with the same masking, within the same budget (of this command
/// alone: what the server spent is in its store).
fn by_model(
    client: &Client,
    rules: &Rules,
    subject: &Subject,
    base: &Score,
    team: &str,
    sent: &mut Sent,
) -> Result<Score, LlmError> {
    let settings = client.settings();
    let mut mask = Mask::over(settings.mask, &subject.transcript);
    sent.hidden = mask.count();
    sent.host = Some(settings.host().to_owned());
    sent.model = Some(settings.model.clone());
    let brief = Brief {
        team,
        context_tokens: settings.context_tokens,
        answer_tokens: settings.answer_tokens,
    };
    let mut ask = |messages: &[Message], shape: &Shape| {
        if settings.daily_budget > 0.0 && sent.cost >= settings.daily_budget {
            return Err(LlmError::Budget);
        }
        sent.requests += 1;
        sent.characters += messages
            .iter()
            .map(|message| message.content.chars().count() as u64)
            .sum::<u64>();
        let reply = client.chat(messages, Some(shape), &|| false)?;
        sent.cost += reply.usage.cost(settings.prices);
        Ok(reply)
    };
    judge(rules, &subject.transcript, base, brief, &mut mask, &mut ask)
}

fn heading(file: &Path, subject: &Subject, engine: EngineArgument, first: &Score) -> String {
    format!(
        "{}: {} s, {} turns, scorecard «{}» of {} items, judged by {}",
        file.display(),
        subject.duration_ms / 1000,
        subject.transcript.turns.len(),
        first.scorecard_name,
        items(first).count(),
        match engine {
            EngineArgument::Rules => "the rules",
            EngineArgument::Model => "the language model",
        }
    )
}
