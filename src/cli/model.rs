//! `call-analytics model …`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::Common;
use crate::app;
use crate::speech::model::{ModelPath, ModelState, Origin, Progress, Quantize, Step};

/// What can be done with speech models.
#[derive(Subcommand)]
pub(super) enum Command {
    /// List the models that are here and those that can be downloaded
    List,
    /// Download a model; goes on where a broken download stopped
    Pull {
        /// Name, as in `model list`
        name: String,
    },
    /// Convert a CTranslate2 (faster-whisper) or Hugging Face Whisper directory, or take a ggml file
    Import {
        /// The directory or file
        path: PathBuf,
        /// Name of the model here [default: from the path]
        #[arg(long)]
        name: Option<String>,
        /// Number format of the weights
        #[arg(long, value_enum, default_value = "f16")]
        quantize: Format,
    },
    /// Remove a model
    Remove {
        /// Name, as in `model list`
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// 16-bit floating point (a ggml file keeps what it has)
    #[value(name = "f16")]
    F16,
    /// 8 bits a weight: the fastest here, no measurable loss
    #[value(name = "q8_0")]
    Q8_0,
    /// 5 bits a weight
    #[value(name = "q5_1")]
    Q5_1,
    /// 5 bits a weight, a little smaller
    #[value(name = "q5_0")]
    Q5_0,
}

impl From<Format> for Quantize {
    fn from(format: Format) -> Self {
        match format {
            Format::F16 => Quantize::No,
            Format::Q8_0 => Quantize::Q8_0,
            Format::Q5_1 => Quantize::Q5_1,
            Format::Q5_0 => Quantize::Q5_0,
        }
    }
}

pub(super) fn run(common: &Common, command: Command) -> anyhow::Result<ExitCode> {
    // The TLS library wants to be told once which cryptography to use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let models = app::model_store(&common.load(None)?);
    match command {
        Command::List => {
            let installed = models.list()?;
            println!("Here ({}):", models.dir().display());
            for model in &installed {
                let size = megabytes(model.size_bytes);
                match &model.state {
                    ModelState::Valid(found) => println!(
                        "  {:<24} {size:>6} MB  {}, {}",
                        model.name,
                        found.quantization,
                        origin(&found.origin)
                    ),
                    ModelState::Invalid(error) => {
                        println!("  {:<24} {size:>6} MB  NOT USABLE: {error}", model.name);
                    }
                }
            }
            if installed.is_empty() {
                println!("  none");
            }
            println!("To download with `model pull NAME`:");
            for entry in models.manifest().entries() {
                if !installed.iter().any(|model| model.name == entry.name) {
                    println!("  {:<24} {:>6} MB", entry.name, megabytes(entry.size_bytes));
                }
            }
        }
        Command::Pull { name } => {
            let bar = Bar::default();
            let model = models.pull(&name, &mut |progress| bar.tell(progress));
            bar.finish();
            done(&model?);
        }
        Command::Import {
            path,
            name,
            quantize,
        } => {
            let bar = Bar::default();
            let model = models.import(&path, name.as_deref(), quantize.into(), &mut |progress| {
                bar.tell(progress);
            });
            bar.finish();
            done(&model?);
        }
        Command::Remove { name } => {
            models.remove(&name)?;
            println!("The model '{name}' was removed.");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn done(model: &ModelPath) {
    println!(
        "The model '{}' is ready: {} ({} MB, {}).",
        model.name,
        model.path.display(),
        megabytes(model.size_bytes),
        model.quantization
    );
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Published => "as published".to_owned(),
        Origin::Imported(from) => format!("imported from {from}"),
        Origin::Copied => "copied here".to_owned(),
    }
}

/// A progress bar on a terminal, nothing elsewhere.
struct Bar(ProgressBar);

impl Default for Bar {
    fn default() -> Self {
        let style = ProgressStyle::with_template(
            "{msg:>9} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_style(style))
    }
}

impl Bar {
    fn tell(&self, progress: Progress) {
        self.0.set_message(match progress.step {
            Step::Download => "download",
            Step::Check => "check",
            Step::Convert => "convert",
        });
        self.0.set_length(progress.total_bytes);
        self.0.set_position(progress.done_bytes);
    }

    fn finish(&self) {
        self.0.finish_and_clear();
    }
}
