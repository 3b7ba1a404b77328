//! Tests of the program from outside: over HTTP, through its command line, and
//! with real speech. They need `ffmpeg` for recordings and a speech model
//! (`CALL_ANALYTICS_TEST_MODEL`, else the one that `./install.sh test` fetches).

mod accounts;
mod auth;
mod browser_like;
mod calls;
mod calltouch;
mod cli;
mod client;
mod corrections;
mod decode;
mod doubles;
mod employees;
mod end_to_end;
mod exports;
mod fixtures;
mod formats;
mod hard_formats;
mod import;
mod killed;
mod layers;
mod lists;
mod llm;
mod mango;
mod mutate;
mod no_speech;
mod other_models;
mod process;
mod pull;
mod pull_place;
mod queue;
mod retries;
mod reviews;
mod robustness;
mod score_stability;
mod server;
mod sftp_archive;
mod sftp_clients;
mod sftp_drop;
mod sftp_files;
mod sftp_hostile;
mod sftp_many;
mod sftp_place;
mod sftp_users;
mod speech;
mod uploads;
