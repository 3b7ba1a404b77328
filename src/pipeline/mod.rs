//! The way of a recording through its five stages: decode → transcribe →
//! diarize → score → index. [`stages`] says what each does, [`runner`] runs
//! them durably; [`judging`] has a language model judge afterwards, [`asking`] answers
//! questions and sums up. Both ask through the [`desk`]. [`rescoring`] scores the past again.

pub mod asking;
pub mod decode;
pub mod desk;
mod diarize;
mod formats;
pub mod judging;
mod lanes;
pub mod media;
pub mod rescoring;
mod revise;
pub mod roles;
pub mod runner;
pub mod score;
pub mod stages;

pub use runner::{Runner, Workers};
