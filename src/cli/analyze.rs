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
use crate::config::Config;
use crate::domain::score::Verdict;
use crate::domain::{MediaInfo, RawEndings, Score, Speaker, Transcript};
use crate::export::{self, Format, Names, clock};
use crate::pipeline::decode::Decoded;
use crate::pipeline::media::Input;
use crate::pipeline::roles::Known;
use crate::pipeline::score::{InForce, Rules};
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
    let mut analyst = Analyst::new(&config, arguments.language.as_deref())?;
    let names = match arguments.names {
        NamesArgument::Ru => Names::Ru,
        NamesArgument::En => Names::En,
    };
    let mut failed = 0;
    for file in &arguments.files {
        match analyst.analyze(file) {
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
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Works on files one after the other, without a server and without a store.
pub(super) struct Analyst {
    tools: Tools,
    speech: SpeechProcess,
    raw: RawEndings,
    language: Option<String>,
    /// Samples; removed in the end.
    work: PathBuf,
}

/// What is heard in a file.
pub(super) struct Heard {
    pub(super) decoded: Decoded,
    pub(super) transcript: Transcript,
    no_speech: bool,
}

impl Analyst {
    /// With the settings' speech model and scorecard.
    pub(super) fn new(config: &Config, language: Option<&str>) -> anyhow::Result<Self> {
        if let Some(language) = language {
            anyhow::ensure!(
                crate::config::valid_language(language),
                "the language is the code of a language that Whisper knows, such as ru, or auto"
            );
        }
        let mut card = app::scorecard(config)?.card;
        card.version = 1;
        let tools = Tools {
            models: Arc::new(app::model_store(config)),
            in_force: Arc::new(InForce::new(Rules::compile(card))),
            judge: None,
            sources: config.sources.clone(),
            speech: config.speech.clone(),
        };
        let mut speech = SpeechProcess::new(own_executable()?, KillSwitch::default());
        speech.use_threads(tools.speech.threads);
        Ok(Self {
            tools,
            speech,
            raw: config.raw.clone(),
            language: language.map(str::to_owned),
            work: std::env::temp_dir().join(format!("call-analytics-{}", std::process::id())),
        })
    }

    /// Who says what in a file.
    pub(super) fn hear(&mut self, file: &Path) -> Result<Heard, StageError> {
        let Self {
            tools,
            speech,
            raw,
            language,
            work,
        } = self;
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
            language: language.as_deref(),
        };
        let recognition =
            tools.transcribe(&input, work, &decoded.media, wanted, speech, &mut tell)?;
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
        Ok(Heard {
            decoded,
            transcript,
            no_speech: recognition.is_empty(),
        })
    }

    fn analyze(&mut self, file: &Path) -> Result<Analysis, StageError> {
        let Heard {
            decoded,
            transcript,
            no_speech,
        } = self.hear(file)?;
        let score = (!no_speech).then(|| {
            let duration_ms = decoded.media.duration_ms;
            self.tools
                .score(&transcript, &decoded.envelope, duration_ms)
        });
        Ok(Analysis {
            file: file.display().to_string(),
            media: decoded.media,
            no_speech,
            transcript,
            score,
        })
    }
}

impl Drop for Analyst {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.work)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            eprintln!("call-analytics: {}: {error}", self.work.display());
        }
    }
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

pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or("—".to_owned(), |value| format!("{value:.1} %"))
}

fn speaker(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Operator => "operator",
        Speaker::Client => "client",
        Speaker::Unknown => "?",
    }
}
