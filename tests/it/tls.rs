//! What tests of HTTPS share: curl and openssl as clients, ports, and Pebble, an
//! authority that speaks ACME, with its name server.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

/// Ports that nobody has at this moment.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
        .collect();
    let mut ports = held
        .iter()
        .map(|listener| listener.local_addr().expect("an address").port());
    std::array::from_fn(|_| ports.next().expect("a port"))
}

fn run(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// An answer that curl got.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, with the values as they are.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) version: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What curl gets, or what it says.
pub(crate) fn curl(arguments: &[&str]) -> Result<Answer, String> {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--include", "--noproxy", "*"])
        .args([
            "--max-time",
            "30",
            "--write-out",
            "\n%{http_code} %{http_version}",
        ])
        .args(arguments);
    let output = run(&mut command);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (text, last) = text.rsplit_once('\n').expect("what curl writes out");
    let (status, version) = last.split_once(' ').expect("status and version");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let headers = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Answer {
        status: status.parse().expect("a status"),
        headers,
        body: body.to_owned(),
        version: version.to_owned(),
    })
}

/// SHA-256 of the certificate that is shown at an address.
pub(crate) fn fingerprint(address: SocketAddr) -> Option<String> {
    let script = format!(
        "openssl s_client -connect {address} -servername calls.test </dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    );
    let output = run(Command::new("sh").args(["-c", &script]));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.split_once('=')?.1.trim().to_owned())
}

/// A certificate with its key, by openssl: `NAME.crt` and `NAME.key`.
pub(crate) fn certificate(dir: &Path, name: &str, names: &str, days: &str) -> (PathBuf, PathBuf) {
    let (certificate, key) = (
        dir.join(format!("{name}.crt")),
        dir.join(format!("{name}.key")),
    );
    let output = run(Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-subj", "/CN=test", "-days", days])
        .args(["-addext", &format!("subjectAltName={names}")])
        .arg("-out")
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key));
    assert!(
        output.status.success(),
        "openssl: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    (certificate, key)
}

/// A process that ends with the test.
pub(crate) struct Helper(Child);

impl Helper {
    /// Starts it; what it says goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a log");
        let errors = log.try_clone().expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        Self(child)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Pebble, which looks at the ports that it is told.
pub(crate) struct Pebble {
    dir: TempDir,
    directory: u16,
    management: u16,
    _processes: [Helper; 2],
}

impl Pebble {
    /// Starts it. `http` and `tls`: where it looks for answers to challenges.
    pub(crate) fn start(http: u16, tls: u16, valid_s: u64) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let [directory, management, dns, control] = free_ports();
        let (certificate, key) =
            certificate(dir.path(), "pebble", "DNS:localhost,IP:127.0.0.1", "30");
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{directory}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": certificate,
            "privateKey": key,
            "httpPort": http,
            "tlsPort": tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
            "certificateValidityPeriod": valid_s,
        }});
        let path = dir.path().join("pebble.json");
        std::fs::write(&path, config.to_string()).expect("a config");
        let names = Helper::start(
            Command::new("pebble-challtestsrv")
                .args([
                    "-http01",
                    "",
                    "-https01",
                    "",
                    "-tlsalpn01",
                    "",
                    "-defaultIPv6",
                    "",
                ])
                .args(["-dns01", &format!("127.0.0.1:{dns}")])
                .args(["-management", &format!("127.0.0.1:{control}")]),
            &dir.path().join("names.log"),
        );
        let authority = Helper::start(
            Command::new("pebble")
                .arg("-config")
                .arg(&path)
                .args(["-dnsserver", &format!("127.0.0.1:{dns}"), "-strict"])
                .env("PEBBLE_VA_ALWAYS_VALID", "0")
                .env("PEBBLE_VA_NOSLEEP", "1"),
            &dir.path().join("pebble.log"),
        );
        let pebble = Self {
            dir,
            directory,
            management,
            _processes: [names, authority],
        };
        let end = Instant::now() + Duration::from_secs(30);
        while curl(&["--insecure", &pebble.directory()]).is_err() {
            assert!(
                Instant::now() < end,
                "pebble does not serve: {}",
                pebble.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        pebble
    }

    fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.directory)
    }

    /// The section that asks this authority.
    pub(crate) fn section(&self, further: &str) -> String {
        format!(
            "[https.acme]\nenabled = true\nagree_to_terms = true\ndirectory = \"{}\"\nca_file = \"{}\"\ncontact = \"admin@calls.test\"\n{further}",
            self.directory(),
            self.dir.path().join("pebble.crt").display()
        )
    }

    /// The certificate that all those it gives are below.
    pub(crate) fn root(&self) -> PathBuf {
        let path = self.dir.path().join("root.pem");
        let url = format!("https://localhost:{}/roots/0", self.management);
        let answer = curl(&["--insecure", &url]).expect("the root");
        std::fs::write(&path, answer.body).expect("it is written");
        path
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("pebble.log")).unwrap_or_default()
    }
}
