//! Servers that recordings are pulled from: OpenSSH, pyftpdlib, vsftpd, each with
//! its own keys on a free port; and a way in between that is slow, counts, and breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::fixtures::repository;
use crate::sftp_place::run;

/// A server of somebody else. Dropping it kills it.
pub(crate) struct Remote {
    dir: TempDir,
    child: Option<Child>,
    /// Where it listens.
    pub(crate) port: u16,
    /// Lines of `[[pull.source]]` that reach it, but for the port.
    pub(crate) settings: String,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().expect("id");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Remote {
    fn new(settings: String) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("files")).expect("a directory");
        Self {
            dir,
            child: None,
            port: free_port(),
            settings,
        }
    }

    /// Something of its own, such as a key or its log.
    pub(crate) fn own(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Its files.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    /// Puts a file there; its time is `age_s` seconds ago.
    pub(crate) fn put(&self, name: impl AsRef<Path>, bytes: &[u8], age_s: u64) {
        let path = self.dir.path().join("files").join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(&path, bytes).expect("written");
        let file = std::fs::File::options()
            .write(true)
            .open(&path)
            .expect("file");
        let then = std::time::SystemTime::now() - Duration::from_secs(age_s);
        file.set_modified(then).expect("a time");
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.own("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn spawn(&mut self, command: &mut Command) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.own("log"))
            .expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            let name = command.get_program().display();
            panic!("{name} cannot be run ({error}); the tests need the Debian packages openssh-server, vsftpd, python3-pyftpdlib and python3-openssl")
        }));
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < end, "it does not listen: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// OpenSSH with a key of its own for the user who runs the tests.
    pub(crate) fn openssh() -> Self {
        let mut remote = Self::new(String::new());
        remote.new_host_key();
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(remote.own("user")));
        remote.settings = format!(
            "protocol = \"sftp\"\nuser = {:?}\nkey_file = {:?}\ndir = {:?}\n",
            user(),
            remote.own("user"),
            remote.file("").display().to_string().trim_end_matches('/'),
        );
        remote.start_openssh();
        remote
    }

    /// Its host key is another one from the next start on.
    pub(crate) fn new_host_key(&self) {
        let _ = std::fs::remove_file(self.own("host"));
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(self.own("host")));
    }

    /// Starts (again).
    pub(crate) fn start_openssh(&mut self) {
        // Where the server of the system is not started, its directory is missing.
        let _ = std::fs::create_dir_all("/run/sshd");
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {}\nHostKey {}\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel DEBUG1\nAuthorizedKeysFile {}\nSubsystem sftp internal-sftp\nMaxStartups 100\n",
            self.port,
            self.own("host").display(),
            self.own("user.pub").display()
        );
        std::fs::write(self.own("config"), config).expect("a config");
        let config = self.own("config");
        self.spawn(
            Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f"])
                .arg(config),
        );
    }

    /// pyftpdlib with more arguments.
    pub(crate) fn pyftpdlib(arguments: &[&str]) -> Self {
        let mut remote = Self::new(
            "protocol = \"ftp\"\nuser = \"mango\"\npassword = \"correct horse\"\n".to_owned(),
        );
        remote.start_pyftpdlib(arguments);
        remote
    }

    /// Starts (again).
    pub(crate) fn start_pyftpdlib(&mut self, arguments: &[&str]) {
        let (script, files) = (repository().join("tests/it/ftp_server.py"), self.file(""));
        self.spawn(
            Command::new("/usr/bin/python3")
                .arg(script)
                .arg(self.port.to_string())
                .arg(files)
                .args(arguments),
        );
    }

    /// pyftpdlib that speaks TLS only, with a certificate of its own authority.
    pub(crate) fn pyftpdlib_tls() -> Self {
        let mut remote = Self::new(String::new());
        let certificate = remote.certificate();
        remote.settings = format!(
            "protocol = \"ftps\"\nuser = \"mango\"\npassword = \"correct horse\"\nca_file = {:?}\n",
            remote.own("ca.pem")
        );
        remote.start_pyftpdlib(&["--tls", &certificate.display().to_string()]);
        remote
    }

    /// vsftpd; with TLS it demands that data connections go on with the session.
    pub(crate) fn vsftpd(tls: bool) -> Self {
        let mut remote = Self::new(String::new());
        let mut config = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={}\nbackground=NO\nrun_as_launching_user=YES\nanonymous_enable=YES\nanon_root={}\nanon_world_readable_only=NO\nallow_writeable_chroot=YES\nsecure_chroot_dir={}\nxferlog_enable=NO\nseccomp_sandbox=NO\npasv_enable=YES\n",
            remote.port,
            remote.file("").display(),
            remote.own("").display(),
        );
        let mut settings = "user = \"anonymous\"\npassword = \"a@b\"\n".to_owned();
        if tls {
            let certificate = remote.certificate();
            let certificate = certificate.display();
            config += &format!(
                "ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_data_ssl=YES\nforce_anon_logins_ssl=YES\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\nrsa_cert_file={certificate}\nrsa_private_key_file={certificate}\n"
            );
            settings += &format!(
                "protocol = \"ftps\"\nca_file = {:?}\n",
                remote.own("ca.pem")
            );
        } else {
            settings += "protocol = \"ftp\"\n";
        }
        remote.settings = settings;
        std::fs::write(remote.own("config"), config).expect("a config");
        let config = remote.own("config");
        remote.spawn(Command::new("/usr/sbin/vsftpd").arg(config));
        remote
    }

    /// An authority (`ca.pem`) and a certificate of it with its key, for 127.0.0.1.
    fn certificate(&self) -> PathBuf {
        let openssl = |arguments: &str| {
            run(Command::new("openssl")
                .current_dir(self.own(""))
                .args(arguments.split(' ')));
        };
        openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=test-authority -keyout ca.key -out ca.pem",
        );
        openssl("req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr");
        std::fs::write(
            self.own("ext"),
            "subjectAltName=IP:127.0.0.1,DNS:localhost\n",
        )
        .expect("ext");
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile ext -out server.crt",
        );
        let both = [self.own("server.key"), self.own("server.crt")]
            .map(|path| std::fs::read(path).expect("a file"))
            .concat();
        std::fs::write(self.own("server.pem"), both).expect("written");
        self.own("server.pem")
    }

    /// The section of a source named `source`.
    pub(crate) fn section(&self, more: &str) -> String {
        self.section_at(self.port, more)
    }

    /// The same through another port.
    pub(crate) fn section_at(&self, port: u16, more: &str) -> String {
        format!(
            "[[pull.source]]\nname = \"source\"\nhost = \"127.0.0.1\"\nport = {port}\nat = \"off\"\nfallback_hours = 0\n{}{more}",
            self.settings
        )
    }

    /// `kill -9` of it and all that it started.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The server first, so that nobody is started any more.
            let mut all = vec![child.id()];
            let mut at = 0;
            while at < all.len() {
                all.extend(children(all[at]));
                at += 1;
            }
            child.kill().expect("killed");
            child.wait().expect("it ends");
            for pid in &all[1..] {
                // One that has ended meanwhile is as good.
                let _ = Command::new("kill")
                    .args(["-9", &pid.to_string()])
                    .stderr(Stdio::null())
                    .status();
            }
        }
    }
}

/// Processes that a process started.
fn children(parent: u32) -> Vec<u32> {
    let tasks = format!("/proc/{parent}/task/{parent}/children");
    let list = std::fs::read_to_string(tasks).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(4000);
            let tail = (tail..log.len()).find(|at| log.is_char_boundary(*at));
            eprintln!("--- log of the remote:\n{}", &log[tail.unwrap_or(0)..]);
        }
    }
}

/// A way to a server that passes on what it says at some bytes a second.
pub(crate) struct Slow {
    /// Where it listens.
    pub(crate) port: u16,
    /// Bytes that the server said.
    pub(crate) passed: Arc<AtomicU64>,
    rate: Arc<AtomicU64>,
}

impl Slow {
    /// To a port of this machine.
    pub(crate) fn to(port: u16, bytes_per_s: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let passed = Arc::new(AtomicU64::new(0));
        let rate = Arc::new(AtomicU64::new(bytes_per_s));
        let (counter, speed) = (Arc::clone(&passed), Arc::clone(&rate));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else {
                    continue;
                };
                let (counter, speed) = (Arc::clone(&counter), Arc::clone(&speed));
                let up = (
                    client.try_clone().expect("a socket"),
                    server.try_clone().expect("a socket"),
                );
                std::thread::spawn(move || pass(up.0, up.1, |_| {}));
                std::thread::spawn(move || {
                    pass(server, client, |read| {
                        counter.fetch_add(read as u64, Ordering::Relaxed);
                        let rate = speed.load(Ordering::Relaxed);
                        std::thread::sleep(Duration::from_micros(read as u64 * 1_000_000 / rate));
                    })
                });
            }
        });
        Self {
            port: own,
            passed,
            rate,
        }
    }

    /// As fast as it goes from now on.
    pub(crate) fn hurry(&self) {
        self.rate.store(u64::MAX, Ordering::Relaxed);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, each: impl Fn(usize)) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            break;
        }
        each(read);
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// The source as the API shows it.
pub(crate) async fn source(client: &Client) -> Value {
    let sources = client.get("/pull/sources").await;
    sources["items"][0].clone()
}

/// Begins a run.
pub(crate) async fn begin(client: &Client) {
    let name = source(client).await["name"]
        .as_str()
        .expect("a name")
        .to_owned();
    let (status, body) = client.post(&format!("/pull/sources/{name}/run")).await;
    assert_eq!(status, 202, "{body}");
}

/// Waits for the end of the run that is under way; how it ended.
pub(crate) async fn ended(client: &Client, seconds: u64) -> Value {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let source = source(client).await;
        if source["current"].is_null() && !source["last"].is_null() {
            return source["last"].clone();
        }
        assert!(Instant::now() < end, "the run does not end: {source}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A whole run: how it ended.
pub(crate) async fn pull(client: &Client) -> Value {
    begin(client).await;
    ended(client, 60).await
}

/// Counters of a run: found, new, known, skipped, failed.
pub(crate) fn counters(run: &Value) -> [u64; 5] {
    ["found", "new", "known", "skipped", "failed"].map(|name| {
        run[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {run}"))
    })
}
