//! Everything that loads models: the child process and the parent's side of it.
//! Models run in a child of the same executable, so that an abort in C++ or the
//! out-of-memory killer costs one attempt and not the server, and so that a
//! cancelled job is a killed child whose memory goes back to the system.

pub mod cpu;
mod crosstalk;
pub mod diarize;
mod engine;
mod judge;
pub mod model;
mod pcm;
pub mod process;
pub mod protocol;
mod recognize;
mod recognizer;
mod share;
mod timing;
mod whisper;
mod windows;
pub mod worker;
