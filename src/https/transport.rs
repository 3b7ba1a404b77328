//! How an authority is reached: blocking requests on threads of their own.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use poem::http::{Method, Request, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// A request takes at most this.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer in bytes.
const MAX_ANSWER: u64 = 1 << 20;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Reaches an authority.
pub(super) struct Transport {
    agent: Agent,
}

impl Transport {
    /// Checks the authority's own certificate against `ca_file`, or the usual authorities.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ));
        if let Some(path) = ca_file {
            let other = |error: rustls::pki_types::pem::Error| {
                Error::Other(format!("{}: {error}", path.display()).into())
            };
            let roots = CertificateDer::pem_file_iter(path)
                .map_err(other)?
                .map(|der| Ok(Certificate::from_der(&der.map_err(other)?).to_owned()))
                .collect::<Result<Vec<_>, Error>>()?;
            tls = tls.root_certs(RootCerts::Specific(Arc::new(roots)));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        Ok(Self { agent })
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let agent = self.agent.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(never) => match never {},
            };
            tokio::task::spawn_blocking(move || ask(&agent, Request::from_parts(parts, body)))
                .await
                .map_err(|error| Error::Other(error.into()))?
                .map(BytesResponse::from)
                .map_err(Error::Other)
        })
    }
}

fn ask(agent: &Agent, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Fault> {
    let (parts, body) = request.into_parts();
    let answer = if parts.method == Method::POST {
        agent.run(Request::from_parts(parts, body.to_vec()))?
    } else {
        agent.run(Request::from_parts(parts, ()))?
    };
    let (parts, mut body) = answer.into_parts();
    let bytes = body.with_config().limit(MAX_ANSWER).read_to_vec()?;
    Ok(Response::from_parts(parts, Full::new(Bytes::from(bytes))))
}
