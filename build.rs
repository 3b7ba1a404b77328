//! Builds the page into `OUT_DIR` when it is stale, gives the linker the static
//! C++ library that whisper.cpp needs, and compiles what libssh-rs-sys leaves out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    static_cpp_library(&out);
    libssh_server();
    page(&out);
}

/// whisper-rs-sys asks for the C++ library by name. In a static program the
/// shared one links and then dies at start, so a directory that holds only the
/// archive is put on the search path.
fn static_cpp_library(out: &Path) {
    let libs = out.join("static-libs");
    std::fs::create_dir_all(&libs).expect("a directory in OUT_DIR");
    let answer = Command::new("g++")
        .arg("-print-file-name=libstdc++.a")
        .output()
        .expect("g++ is needed to build: apt-get install g++");
    let archive = PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim());
    assert!(
        archive.is_absolute(),
        "g++ has no libstdc++.a: apt-get install libstdc++-12-dev (or the one of your g++)"
    );
    std::fs::copy(&archive, libs.join("libstdc++.a")).expect("libstdc++.a can be copied");
    println!("cargo::rustc-link-search=native={}", libs.display());
}

/// libssh-rs-sys declares `ssh_bind_*` and leaves `bind.c`, where they are, out of
/// its archive. It is compiled here from the same sources with the same defines.
fn libssh_server() {
    let sources = libssh_sources();
    let given = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} comes with the dependencies"))
    };
    let openssl = given("DEP_OPENSSL_INCLUDE");
    let configuration = Path::new(&openssl).join("openssl/configuration.h");
    let configuration = std::fs::read_to_string(configuration).expect("headers of OpenSSL");
    assert!(
        configuration.contains("define OPENSSL_THREADS"),
        "OpenSSL was built without threads, and the server has many: OPENSSL_SRC_PERL must name .cargo/perl-for-openssl.sh (cargo clean -p openssl-sys)"
    );
    let mut build = cc::Build::new();
    build
        .file(sources.join("src/bind.c"))
        .include(sources.join("include"))
        .include(given("DEP_LIBSSH_INCLUDE"))
        .include(&openssl)
        .define("LIBSSH_STATIC", None)
        .define("_GNU_SOURCE", None)
        .define("GLOBAL_BIND_CONFIG", "\"/etc/ssh/libssh_server_config\"")
        .warnings(false);
    for define in LIBSSH_DEFINES.split_whitespace() {
        build.define(define, "1");
    }
    build.compile("ssh_bind");
}

/// What libssh-rs-sys 0.2.8 defines for Linux: the layout of structures hangs on it.
const LIBSSH_DEFINES: &str = "
    HAVE_GETADDRINFO HAVE_LIBCRYPTO HAVE_OPENSSL_AES_H HAVE_OPENSSL_BLOWFISH_H HAVE_OPENSSL_DES_H HAVE_OPENSSL_ECC
    HAVE_OPENSSL_ECDH_H HAVE_ECC HAVE_DSA HAVE_OPENSSL_EC_H HAVE_OPENSSL_EVP_CHACHA20 HAVE_STDINT_H WITH_ZLIB WITH_GEX
    WITH_SFTP WITH_SERVER HAVE_ARPA_INET_H HAVE_CLOCK_GETTIME HAVE_PTHREAD_H HAVE_PTHREAD HAVE_SELECT HAVE_SNPRINTF
    HAVE_STRTOULL HAVE_SYS_TIME_H HAVE_TERMIOS_H HAVE_UNISTD_H HAVE_VSNPRINTF HAVE_POLL HAVE_STRNDUP
    HAVE_COMPILER__FUNCTION__ HAVE_COMPILER__FUNC__ HAVE_GCC_THREAD_LOCAL_STORAGE";

/// Where cargo keeps the sources of libssh-rs-sys.
fn libssh_sources() -> PathBuf {
    let output = Command::new(std::env::var_os("CARGO").expect("cargo sets CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "cargo metadata failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let manifest = packages
        .iter()
        .find(|package| package["name"] == "libssh-rs-sys")
        .and_then(|package| package["manifest_path"].as_str())
        .expect("libssh-rs-sys is a dependency");
    Path::new(manifest).with_file_name("vendored")
}

/// Builds `web/` with npm. Without Node a debug build gets a placeholder, a
/// release build fails with what to do.
fn page(out: &Path) {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let web = root.join("web");
    let dist = out.join("web");
    println!(
        "cargo::rustc-env=CALL_ANALYTICS_WEB_DIST={}",
        dist.display()
    );
    for part in [
        "src",
        "public",
        "index.html",
        "package.json",
        "package-lock.json",
        "vite.config.ts",
        "tsconfig.json",
        "tsconfig.app.json",
    ] {
        println!("cargo::rerun-if-changed={}", web.join(part).display());
    }
    let has_node = Command::new("npm").arg("--version").output().is_ok();
    if !has_node {
        assert!(
            std::env::var("PROFILE").is_ok_and(|profile| profile == "debug"),
            "npm is needed to build the page: install Node.js 20 or newer"
        );
        std::fs::create_dir_all(&dist).expect("a directory in OUT_DIR");
        std::fs::write(dist.join("index.html"), "Built without Node.js: no page.")
            .expect("a file in OUT_DIR");
        return;
    }
    let modified = |path: &Path| -> Option<SystemTime> { path.metadata().ok()?.modified().ok() };
    let lock = web.join("package-lock.json");
    let installed = web.join("node_modules/.package-lock.json");
    let stale = match (modified(&lock), modified(&installed)) {
        (Some(lock), Some(installed)) => lock > installed,
        _ => true,
    };
    if stale {
        npm(&web, &["ci", "--no-audit", "--no-fund"], &dist);
    }
    npm(&web, &["run", "build"], &dist);
}

fn npm(web: &Path, arguments: &[&str], dist: &Path) {
    let output = Command::new("npm")
        .args(arguments)
        .current_dir(web)
        .env("CALL_ANALYTICS_WEB_OUT", dist)
        .output()
        .expect("npm can be run");
    assert!(
        output.status.success(),
        "npm {} failed:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
