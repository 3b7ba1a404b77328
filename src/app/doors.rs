//! Where the server is reached: plain HTTP, and HTTPS with its redirect.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use poem::Response;
use poem::endpoint::BoxEndpoint;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Https};
use crate::https::Certificates;
use crate::serving::{Door, Room, Serving, redirect};

/// Addresses that are bound, before the data directory is touched.
pub(super) struct Bound {
    plain: TcpListener,
    secure: Option<(TcpListener, Option<TcpListener>)>,
}

/// What is listened at.
pub(super) struct Doors {
    plain: TcpListener,
    secure: Option<Secure>,
}

struct Secure {
    listener: TcpListener,
    redirect: Option<TcpListener>,
    certificates: Arc<Certificates>,
    settings: Https,
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        let advice = if address.port() < 1024 {
            " (ports below 1024 need CAP_NET_BIND_SERVICE, which the service has)"
        } else {
            ""
        };
        format!("the address {address} ({key}) cannot be used{advice}")
    })
}

impl Bound {
    /// Binds all addresses of the configuration.
    pub(super) async fn new(config: &Config) -> anyhow::Result<Self> {
        let plain = bind("listen", config.listen).await?;
        let https = &config.https;
        if !https.enabled {
            return Ok(Self {
                plain,
                secure: None,
            });
        }
        let listener = bind("https.listen", https.listen).await?;
        let redirect = match https.redirect_from {
            Some(address) => Some(bind("https.redirect_from", address).await?),
            None => None,
        };
        Ok(Self {
            plain,
            secure: Some((listener, redirect)),
        })
    }

    /// Loads or makes the certificate. The store's lock is held by now, so that no other
    /// server works in the data directory.
    pub(super) async fn open(self, config: &Config) -> anyhow::Result<Doors> {
        let secure = match self.secure {
            None => None,
            Some((listener, redirect)) => {
                let (settings, data_dir) = (config.https.clone(), config.data_dir.clone());
                let opened = settings.clone();
                let certificates =
                    tokio::task::spawn_blocking(move || Certificates::open(&opened, &data_dir))
                        .await?
                        .context("HTTPS")?;
                Some(Secure {
                    listener,
                    redirect,
                    certificates: Arc::new(certificates),
                    settings,
                })
            }
        };
        Ok(Doors {
            plain: self.plain,
            secure,
        })
    }
}

impl Doors {
    /// Where plain HTTP is served.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.plain.local_addr()?)
    }

    /// Where HTTPS is served and with what, and where plain HTTP is redirected.
    pub(super) fn https(&self) -> Option<HttpsAddress> {
        let secure = self.secure.as_ref()?;
        let redirect = secure.redirect.as_ref();
        Some(HttpsAddress {
            address: secure.listener.local_addr().ok()?,
            redirect: redirect.and_then(|listener| listener.local_addr().ok()),
            names: secure
                .settings
                .names
                .iter()
                .map(|name| name.authority())
                .collect(),
            sha256: secure.certificates.current().fingerprint(),
        })
    }

    /// Serves until `stop`; requests get `grace` to finish.
    pub(super) async fn serve(
        self,
        config: &Config,
        endpoint: BoxEndpoint<'static, Response>,
        stop: CancellationToken,
        grace: Duration,
    ) {
        let endpoint = Arc::new(endpoint);
        let serving = Serving {
            settings: config.http.clone(),
            room: Room::new(&config.http),
            stop: stop.clone(),
            grace,
        };
        let mut doors = vec![Door {
            listener: self.plain,
            tls: None,
            endpoint: Arc::clone(&endpoint),
        }];
        let mut keeping = None;
        if let Some(secure) = self.secure {
            let certificates = secure.certificates;
            let port = secure.listener.local_addr().map_or(443, |at| at.port());
            doors.push(Door {
                listener: secure.listener,
                tls: Some(certificates.tls()),
                endpoint,
            });
            if let Some(listener) = secure.redirect {
                doors.push(Door {
                    listener,
                    tls: None,
                    endpoint: redirect(Arc::clone(&certificates), secure.settings.names, port),
                });
            }
            keeping = Some(tokio::spawn(async move { certificates.keep(stop).await }));
        }
        futures_util::future::join_all(doors.into_iter().map(|door| serving.clone().serve(door)))
            .await;
        if let Some(keeping) = keeping {
            let _ = keeping.await;
        }
    }
}

/// Where HTTPS is served, and with what.
#[derive(Debug, Clone)]
pub struct HttpsAddress {
    /// Where.
    pub address: SocketAddr,
    /// Where plain HTTP is redirected.
    pub redirect: Option<SocketAddr>,
    /// What the page is called, as in an address.
    pub names: Vec<String>,
    /// SHA-256 of the certificate in force.
    pub sha256: String,
}
