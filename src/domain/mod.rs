//! The words of the product as plain values: no input or output, no async
//! runtime, no HTTP, no database. Everything above depends on this module and
//! it depends on nothing in the crate.

pub mod access;
pub mod agreement;
pub mod audit;
pub mod call;
pub mod card_document;
pub mod card_fault;
pub mod card_version;
pub mod details;
pub mod directory;
pub mod dropped;
pub mod egress;
pub mod employees_csv;
pub mod erasure;
pub mod filename;
pub mod insight;
pub mod job;
pub mod language;
pub mod metrics;
pub mod network;
pub mod notice;
pub mod periods;
pub mod phone;
pub mod prompt;
pub mod pull;
pub mod question;
pub mod raw;
pub mod rescoring;
pub mod retention;
pub mod review;
pub mod revise;
pub mod score;
pub mod scorecard;
pub mod scorecard_toml;
pub mod session;
pub mod sftp_user;
pub mod spreadsheet;
pub mod terms;
pub mod tracker;
pub mod transcript;
pub mod translit;
pub mod user;

pub use call::{Call, CallId, Envelope, MediaInfo, MediaKind, Recording, Source};
pub use details::CallDetails;
pub use dropped::{DropKind, DropState, DroppedFile};
pub use job::{Job, JobError, JobEvent, JobState, Priority, Stage, Status};
pub use metrics::Metrics;
pub use pull::{PullError, PullOutcome, PullRun, PullTrigger, PulledFile};
pub use raw::{RawCoding, RawEndings, RawFormat};
pub use score::Score;
pub use scorecard::Scorecard;
pub use sftp_user::{DropMode, SenderKey, SftpUser};
pub use transcript::{Recognition, Segment, Separation, Span, Speaker, Transcript, Turn, Word};
pub use user::{Role, User};
