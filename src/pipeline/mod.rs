//! The way of a recording through its five stages: decode → transcribe →
//! diarize → score → index. [`stages`] says what each does, [`runner`] runs
//! them durably; [`judging`] has a language model judge afterwards, [`rescoring`]
//! scores the past again.

pub mod decode;
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
