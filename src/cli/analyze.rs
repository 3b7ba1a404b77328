//! `call-analytics analyze FILE…`: the whole pipeline without a server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Common;
use super::serve::own_executable;
use crate::app;
use crate::domain::score::Verdict;
use crate::domain::{MediaInfo, RawEndings, Score, Speaker, Transcript};
use crate::export::{self, Format, Names, clock};
use crate::pipeline::media::Input;
use crate::pipeline::roles::Known;
use crate::pipeline::score::Rules;
use crate::pipeline::stages::{StageError, Tools, Wanted};
use crate::speech::process::{KillSwitch, SpeechProcess};

/// What to analyze and how to show it.
#[derive(Args)]
pub(super) struct Arguments {
    /// Audio or video files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON value a file, one a line
    #[arg(long, group = "form")]
    json: bool,
    /// Print SubRip subtitles
    #[arg(long, group = "form")]
    srt: bool,
    /// Print WebVTT subtitles
    #[arg(long, group = "form")]
    vtt: bool,
    /// Language of the speakers' names in subtitles
    #[arg(long, value_name = "LANG", default_value = "ru")]
    names: NamesArgument,
    /// Language: a two-letter code or `auto` [default: from the settings]
    #[arg(long)]
    language: Option<String>,
}

/// Language of the speakers' names.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum NamesArgument {
    Ru,
    En,
}

/// What is known of a file in the end. Without speech there is no score.
#[derive(Serialize)]
struct Analysis {
    file: String,
    media: MediaInfo,
    no_speech: bool,
    transcript: Transcript,
    score: Option<Score>,
}

pub(super) fn run(common: &Common, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = common.load(None)?;
    if let Some(language) = &arguments.language {
        anyhow::ensure!(
            crate::config::valid_language(language),
            "the language is the code of a language that Whisper knows, such as ru, or auto"
        );
    }
    let mut card = app::scorecard(&config)?;
    card.version = 1;
    let tools = Tools {
        models: Arc::new(app::model_store(&config)),
        rules: Arc::new(Rules::compile(card)),
        judge: None,
        sources: config.sources,
        speech: config.speech,
    };
    let mut speech = SpeechProcess::new(own_executable()?, KillSwitch::default());
    speech.use_threads(tools.speech.threads);
    let work = std::env::temp_dir().join(format!("call-analytics-{}", std::process::id()));
    let names = match arguments.names {
        NamesArgument::Ru => Names::Ru,
        NamesArgument::En => Names::En,
    };
    let mut failed = 0;
    for file in &arguments.files {
        match analyze(
            &tools,
            &mut speech,
            &config.raw,
            file,
            &work,
            arguments.language.as_deref(),
        ) {
            Ok(analysis) if arguments.json => println!("{}", serde_json::to_string(&analysis)?),
            Ok(analysis) if arguments.srt => print!("{}", subtitles(&analysis, Format::Srt, names)),
            Ok(analysis) if arguments.vtt => print!("{}", subtitles(&analysis, Format::Vtt, names)),
            Ok(analysis) => print_text(&analysis),
            Err(error) => {
                failed += 1;
                eprintln!("call-analytics: {}: {error}", file.display());
            }
        }
    }
    if let Err(error) = std::fs::remove_dir_all(&work)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        eprintln!("call-analytics: {}: {error}", work.display());
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn analyze(
    tools: &Tools,
    speech: &mut SpeechProcess,
    raw: &RawEndings,
    file: &Path,
    work: &Path,
    language: Option<&str>,
) -> Result<Analysis, StageError> {
    // Drawn on a terminal only, on standard error.
    let bar = ProgressBar::new(1000).with_style(
        ProgressStyle::with_template("{msg:>12} [{bar:40}] {percent}% {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let mut tell = |share: f64| bar.set_position((share * 1000.0) as u64);
    bar.set_message("decode");
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let input = Input::named(file, &name, raw);
    let decoded = tools.decode(&input, work, &KillSwitch::default(), &mut tell)?;
    bar.set_message("transcribe");
    let wanted = Wanted {
        model: None,
        language,
    };
    let recognition = tools.transcribe(&input, work, &decoded.media, wanted, speech, &mut tell)?;
    bar.set_message("diarize");
    let transcript = tools.diarize(
        &input,
        work,
        &decoded.media,
        &recognition,
        Known {
            operator_channel: tools.speech.operator_channel,
            ..Known::default()
        },
        speech,
        &mut tell,
    )?;
    bar.finish_and_clear();
    let no_speech = recognition.is_empty();
    let score = (!no_speech)
        .then(|| tools.score(&transcript, &decoded.envelope, decoded.media.duration_ms));
    Ok(Analysis {
        file: file.display().to_string(),
        media: decoded.media,
        no_speech,
        transcript,
        score,
    })
}

fn subtitles(analysis: &Analysis, format: Format, names: Names) -> String {
    export::write(&analysis.transcript, &analysis.file, format, names, None)
}

fn print_text(analysis: &Analysis) {
    println!("{}", analysis.file);
    if analysis.no_speech {
        println!("  nobody speaks in this recording\n");
        return;
    }
    for turn in &analysis.transcript.turns {
        let span = turn.span();
        println!(
            "  {} {:<9} {}",
            clock(span.start_ms, '.'),
            speaker(turn.speaker),
            turn.text()
        );
    }
    if let Some(score) = &analysis.score {
        println!();
        for criterion in &score.criteria {
            println!("  {:<24} {}", criterion.name, percent(criterion.percent));
            for item in &criterion.items {
                let mark = match item.verdict {
                    Verdict::Met => "+",
                    Verdict::Failed => "-",
                    Verdict::NotApplicable => " ",
                    Verdict::Unconfirmed => "?",
                };
                let quote = item
                    .evidence
                    .first()
                    .map(|evidence| {
                        format!("  {} «{}»", clock(evidence.start_ms, '.'), evidence.quote)
                    })
                    .unwrap_or_default();
                println!("    {mark} {}{quote}", item.name);
            }
        }
        println!("  {:<24} {}", "Σ", percent(score.overall_percent));
    }
    println!();
}

fn percent(value: Option<f64>) -> String {
    value.map_or("—".to_owned(), |value| format!("{value:.1} %"))
}

fn speaker(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Operator => "operator",
        Speaker::Client => "client",
        Speaker::Unknown => "?",
    }
}
