//! call-analytics listens to every call, writes down who said what, and scores
//! it by the team's own criteria. The modules in the order of the flow:
//!
//! [`intake`] accepts a recording → [`store`] keeps it → [`pipeline`] decodes,
//! has [`speech`] recognize and tell voices apart, scores, asks [`llm`] → [`search`] finds it
//! → [`api`] shows it. Senders drop recordings over [`sftp`]. [`domain`] holds the
//! words they all use; [`config`] and [`events`] are leaves; [`app`] binds everything;
//! [`schedule`] starts what happens by the clock; [`erasure`] removes calls for good; [`cli`] is the command line.
//! [`serving`] holds the connections, [`https`] the certificate; [`oidc`] asks an identity provider.

pub mod accounts;
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod domain;
pub mod erasure;
pub mod events;
pub mod export;
pub mod https;
pub mod intake;
pub mod llm;
pub mod oidc;
pub mod pipeline;
pub mod report;
pub mod schedule;
pub mod search;
pub mod serving;
pub mod sftp;
pub mod speech;
pub mod store;
