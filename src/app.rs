//! Binds the parts of the server: [`App::build`] opens everything and binds the
//! address, [`App::run_until_stopped`] serves. The two fail differently: the
//! one before anything is promised, the other while people are using it.

mod archive;
mod doors;
mod erase;
mod thinking;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;
use poem::EndpointExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::accounts;
use crate::accounts::limits::{KeyLimits, OpenLimits, SignInLimits};
use crate::api;
use crate::api::sftp_stream::Downloads;
use crate::api::tokens::Tokens;
use crate::config::Config;
use crate::control;
use crate::domain::audit::{Action, Actor, Entry};
use crate::domain::card_version::CardOrigin;
use crate::domain::scorecard_toml::{self, DEFAULT_SCORECARD};
use crate::domain::{Scorecard, User};
use crate::erasure::{Erasing, Erasures};
use crate::events::Events;
use crate::intake::Intake;
use crate::intake::drop::{self, DropBox, Receiving};
use crate::intake::fetch::Fetching;
use crate::intake::names::Names;
use crate::intake::outside::Outside;
use crate::intake::pull::{self, Pulls};
use crate::oidc::Provider;
use crate::pipeline::asking::{Asking, Insights};
use crate::pipeline::judging::Judging;
use crate::pipeline::rescoring::Rescorings;
use crate::pipeline::score::{InForce, Rules};
use crate::pipeline::stages::Tools;
use crate::pipeline::{Runner, Workers};
use crate::schedule::{self, Schedule};
use crate::search::Search;
use crate::sftp;
use crate::speech::model::{Manifest, ModelError, ModelStore};
use crate::store::{Store, StoreError};
pub use archive::ArchiveDoor;
pub use doors::HttpsAddress;
use doors::{Bound, Doors};
pub use erase::EraseDoor;
use thinking::{Thinking, start_thinking};

/// Requests in flight get this long to finish when the server stops.
const GRACE: Duration = Duration::from_secs(5);
/// Passwords hashed at the same time; each takes 19 MiB.
const HASHES_AT_ONCE: usize = 2;
/// Passwords that wait to be hashed; more are told to come again.
const HASHES_WAITING: usize = 64;

/// What the handlers work with.
pub struct Parts {
    /// The settings in force.
    pub config: Config,
    /// The store.
    pub store: Arc<Store>,
    /// The search index.
    pub search: Arc<Search>,
    /// What changed.
    pub events: Events,
    /// What has a language model judge, where one is turned on.
    pub judging: Option<Arc<Judging>>,
    /// Scores the past again.
    pub rescorings: Arc<Rescorings>,
    /// What answers questions.
    pub asking: Arc<Asking>,
    /// What sums calls up and finds topics.
    pub insights: Arc<Insights>,
    /// The queue's workers.
    pub runner: Arc<Runner>,
    /// The way in.
    pub intake: Arc<Intake>,
    /// What outside systems send and are asked.
    pub outside: Arc<Outside>,
    /// What is pulled from servers.
    pub pulls: Arc<Pulls>,
    /// The SFTP server, where there is one.
    pub sftp: Option<sftp::Server>,
    /// Takes in what is dropped there.
    pub drop_box: Option<DropBox>,
    /// Removes calls for good.
    pub erasures: Arc<Erasures>,
    /// Archives of dropped files that are downloaded.
    pub downloads: Downloads,
    /// Signs tokens.
    pub tokens: Tokens,
    /// Cancelled when the server stops: long connections end.
    pub stopping: CancellationToken,
    /// When the server was built.
    pub started: Instant,
    /// How often sign-ins may be tried.
    pub sign_ins: SignInLimits,
    /// How often keys may ask.
    pub key_limits: KeyLimits,
    /// WebSockets of each account.
    pub sockets: OpenLimits,
    /// Where people can sign in besides.
    pub provider: Option<Arc<Provider>>,
    hashing: Semaphore,
    /// Places for those that wait to be hashed.
    hash_places: Semaphore,
}

/// Whether the speech model can be used.
pub enum ModelReadiness {
    /// It can.
    Ready,
    /// There is none; the text says how to get it.
    Missing(String),
    /// There is one that cannot be used; the text says why.
    Invalid(String),
}

impl Parts {
    /// A place among those whose password is judged; `None` when too many wait.
    pub fn hash_place(&self) -> Option<SemaphorePermit<'_>> {
        self.hash_places.try_acquire().ok()
    }

    /// The account, when the password is right.
    pub async fn verify_password(
        &self,
        name: String,
        password: String,
    ) -> Result<Option<User>, StoreError> {
        let _permit = self.hashing.acquire().await;
        self.store
            .run(move |store| {
                let user = store.user(&name)?;
                let right = accounts::verify_password(user.as_ref(), &password);
                Ok(user.filter(|_| right))
            })
            .await
    }

    /// The password's hash.
    pub async fn hash_password(&self, password: String) -> Result<String, StoreError> {
        let _permit = self.hashing.acquire().await;
        tokio::task::spawn_blocking(move || accounts::hash_password(&password).ok())
            .await
            .ok()
            .flatten()
            .ok_or(StoreError::Interrupted)
    }

    /// Whether the speech model can be used. A model seen for the first time is read whole.
    pub async fn model_state(&self) -> ModelReadiness {
        let tools = self.runner.tools().clone();
        let resolved =
            tokio::task::spawn_blocking(move || tools.models.resolve(&tools.speech.model)).await;
        match resolved {
            Ok(Ok(_)) => ModelReadiness::Ready,
            Ok(Err(error @ ModelError::NotInstalled { .. })) => {
                ModelReadiness::Missing(error.to_string())
            }
            Ok(Err(error)) => ModelReadiness::Invalid(error.to_string()),
            Err(error) => ModelReadiness::Invalid(error.to_string()),
        }
    }
}

/// A server that is bound and not yet serving.
pub struct App {
    parts: Arc<Parts>,
    workers: Workers,
    thinking: Thinking,
    fetching: Fetching,
    pulling: pull::Watching,
    schedule: Schedule,
    doors: Doors,
    erasing: Erasing,
    control: tokio::net::UnixListener,
    address: SocketAddr,
    first_password: Option<String>,
    receiving: Option<Receiving>,
    first_sftp_password: Option<String>,
}

/// The models directory of a configuration; the environment may name a mirror to download from.
pub fn model_store(config: &Config) -> ModelStore {
    let store = ModelStore::open(config.models_dir());
    match std::env::var("CALL_ANALYTICS_MODEL_MIRROR") {
        Ok(mirror) => store.with_manifest(Manifest::embedded().with_base_url(&mirror)),
        Err(_) => store,
    }
}

/// The scorecard that a start is given.
pub struct GivenCard {
    /// Version 0: the store gives the version.
    pub card: Scorecard,
    /// The file.
    pub text: String,
    /// Where it is from.
    pub origin: CardOrigin,
}

/// The scorecard of a configuration.
pub fn scorecard(config: &Config) -> anyhow::Result<GivenCard> {
    let (text, origin) = match &config.scoring.scorecard {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the scorecard {}", path.display()))?;
            (text, CardOrigin::File)
        }
        None => (DEFAULT_SCORECARD.to_owned(), CardOrigin::BuiltIn),
    };
    Ok(GivenCard {
        card: scorecard_toml::parse(&text, 0)?,
        text,
        origin,
    })
}

/// A store that no server has open, with a queue that nobody works on.
fn without_workers(
    config: &Config,
    store: Store,
    executable: PathBuf,
) -> anyhow::Result<(Arc<Store>, Arc<Runner>)> {
    let search =
        Search::open(&config.data_dir.join("index"), &store).context("the index of the search")?;
    let store = Arc::new(store);
    let tools = Tools {
        speech: config.speech.clone(),
        sources: config.sources.clone(),
        models: Arc::new(model_store(config)),
        in_force: Arc::new(InForce::new(Rules::compile(scorecard(config)?.card))),
        judge: None,
    };
    let runner = Runner::new(
        Arc::clone(&store),
        Arc::new(search),
        Events::default(),
        tools,
        executable,
    );
    Ok((store, runner))
}

impl App {
    /// Opens the store and the index, starts the workers and binds the address.
    /// `executable` is this program: it is started again as the speech worker.
    pub async fn build(config: Config, executable: PathBuf) -> anyhow::Result<Self> {
        let bound = Bound::new(&config).await?;
        let opened = config.clone();
        let (store, search, rules, first_password, tokens) =
            tokio::task::spawn_blocking(move || open(&opened)).await??;
        let search = Arc::new(search);
        let doors = bound.open(&config).await?;
        let address = doors.address()?;
        let control = control::bind(&config.data_dir).context("the control socket")?;
        let events = Events::default();
        let tools = Tools {
            speech: config.speech.clone(),
            sources: config.sources.clone(),
            models: Arc::new(model_store(&config)),
            in_force: Arc::new(InForce::new(rules)),
            judge: config.llm.enabled.then(|| config.llm.model.clone()),
        };
        let runner = Runner::new(
            Arc::clone(&store),
            Arc::clone(&search),
            events.clone(),
            tools,
            executable,
        );
        tracing::info!(
            processor = crate::speech::cpu::instructions(),
            workers = config.speech.workers,
            threads = config.speech.threads,
            "recognition computes with"
        );
        let workers = runner.start()?;
        let (judging, asking, insights, rescorings, thinking) = start_thinking(&config, &runner)?;
        let intake = Arc::new(Intake::new(
            Arc::clone(&store),
            Arc::clone(&runner),
            config.max_upload_bytes,
            config.raw.clone(),
            Names::new(&config.names)?,
        ));
        let outside = Arc::new(Outside::new(
            &config,
            Arc::clone(&store),
            Arc::clone(&runner),
            Arc::clone(&intake),
        )?);
        let fetching = Fetching::start(&outside)?;
        let pulls = Arc::new(Pulls::new(
            &config,
            Arc::clone(&store),
            Arc::clone(&intake),
        )?);
        let pulling = pulls.watch()?;
        let (sftp, receiving, first_sftp_password) = start_sftp(&config, &store, &intake).await?;
        let (sftp, drop_box) = sftp.unzip();
        let provider = config.oidc.enabled.then(|| Provider::new(&config.oidc));
        let provider = provider.transpose()?.map(Arc::new);
        let folders = sftp.as_ref().map(|sftp| Arc::clone(sftp.folders()));
        let erasures = Erasures::new(&config, Arc::clone(&store), Arc::clone(&runner), folders);
        let erasures = Arc::new(erasures);
        let erasing = erasures.start()?;
        let schedule = schedule::start(&config, &outside, &pulls, &erasures).await?;
        let parts = Arc::new(Parts {
            sftp,
            drop_box,
            config,
            store,
            search,
            events,
            runner,
            rescorings,
            judging,
            asking,
            insights,
            intake,
            outside,
            pulls,
            erasures,
            downloads: Downloads::default(),
            tokens,
            sign_ins: SignInLimits::default(),
            key_limits: KeyLimits::default(),
            sockets: OpenLimits::default(),
            provider,
            stopping: CancellationToken::new(),
            started: Instant::now(),
            hashing: Semaphore::new(HASHES_AT_ONCE),
            hash_places: Semaphore::new(HASHES_AT_ONCE + HASHES_WAITING),
        });
        Ok(Self {
            parts,
            workers,
            thinking,
            fetching,
            pulling,
            schedule,
            doors,
            erasing,
            control,
            address,
            first_password,
            receiving,
            first_sftp_password,
        })
    }

    /// The address that is listened at (with the port the system chose for port 0).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where HTTPS is served, where it is.
    pub fn https(&self) -> Option<HttpsAddress> {
        self.doors.https()
    }

    /// Password of the user `admin`, when this start made it.
    pub fn first_password(&self) -> Option<&str> {
        self.first_password.as_deref()
    }

    /// The SFTP server, where there is one.
    pub fn sftp(&self) -> Option<&sftp::Server> {
        self.parts.sftp.as_ref()
    }

    /// Password of the SFTP user `mango`, when this start made it.
    pub fn first_sftp_password(&self) -> Option<&str> {
        self.first_sftp_password.as_deref()
    }

    /// The parts.
    pub fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// Serves until `stop` resolves, then lets requests finish and stops the workers.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let stopping = self.parts.stopping.clone();
        let parts = Arc::clone(&self.parts);
        let ended = Arc::new(move |user: &str| {
            if let Some(sftp) = &parts.sftp {
                sftp.end_user(user);
            }
        });
        let store = Arc::clone(&self.parts.store);
        let control = tokio::spawn(control::serve(
            self.control,
            Arc::clone(&store),
            ended,
            Arc::new(ArchiveDoor::new(
                Arc::clone(&store),
                Arc::clone(&self.parts.intake),
            )),
            Arc::new(EraseDoor::new(store, Arc::clone(&self.parts.erasures))),
        ));
        let signal = async {
            stop.await;
            stopping.cancel();
        };
        let routes = api::routes(Arc::clone(&self.parts)).boxed();
        let (config, stopping) = (&self.parts.config, self.parts.stopping.clone());
        let served = self.doors.serve(config, routes, stopping, GRACE);
        tokio::join!(signal, served);
        control.abort();
        self.schedule.stop().await;
        let (workers, fetching, parts) = (self.workers, self.fetching, self.parts);
        let (receiving, pulling, thinking) = (self.receiving, self.pulling, self.thinking);
        let erasing = self.erasing;
        tokio::task::spawn_blocking(move || {
            if let Some(sftp) = &parts.sftp {
                sftp.stop();
            }
            if let Some(receiving) = receiving {
                receiving.stop();
            }
            erasing.stop();
            fetching.stop();
            pulling.stop();
            workers.stop();
            thinking.stop();
        })
        .await?;
        Ok(())
    }
}

/// The server, who takes in what is dropped, the thread that does so, and the password
/// of the first sender when that was made.
type Sftp = (
    Option<(sftp::Server, DropBox)>,
    Option<Receiving>,
    Option<String>,
);

/// Binds the SFTP server and takes in what is dropped there, unless it is off.
async fn start_sftp(
    config: &Config,
    store: &Arc<Store>,
    intake: &Arc<Intake>,
) -> anyhow::Result<Sftp> {
    if !config.sftp.enabled {
        return Ok((None, None, None));
    }
    let (config, store, intake) = (config.clone(), Arc::clone(store), Arc::clone(intake));
    tokio::task::spawn_blocking(move || {
        let password = sftp::users::ensure_first(&store)?;
        let (watcher, told) = drop::watch();
        let stop = watcher.clone();
        let server = sftp::Server::bind(&config, Arc::clone(&store), Arc::new(watcher))?;
        tracing::info!(address = %server.local_addr(), "recordings are taken over SFTP");
        let drop_box = DropBox::new(Arc::clone(server.folders()), intake, store);
        let settle = Duration::from_millis(config.sftp.settle_ms);
        let receiving = Receiving::start(drop_box.clone(), stop, told, settle)?;
        Ok((Some((server, drop_box)), Some(receiving), password))
    })
    .await?
}

type Opened = (Arc<Store>, Search, Rules, Option<String>, Tokens);

fn open(config: &Config) -> anyhow::Result<Opened> {
    let store = Store::open(&config.data_dir)
        .with_context(|| format!("the data directory {}", config.data_dir.display()))?;
    store.sweep()?;
    let entry = Entry::new(Actor::System, Action::Started);
    store.record(entry.saying(env!("CARGO_PKG_VERSION")))?;
    if !config.llm.enabled {
        store.stop_judging()?;
    }
    let search = Search::open(&config.data_dir.join("index"), &store)?;
    let given = scorecard(config)?;
    let card = store.adopt_scorecard(given.card, &given.text, given.origin, Timestamp::now())?;
    let first_password = accounts::ensure_first_admin(&store)?;
    let store = Arc::new(store);
    let tokens = Tokens::open(Arc::clone(&store), Timestamp::now())?;
    Ok((store, search, Rules::compile(card), first_password, tokens))
}
