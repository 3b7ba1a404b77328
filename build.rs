//! Builds the page into `OUT_DIR` when it is stale, and gives the linker the
//! static C++ library that whisper.cpp needs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    static_cpp_library(&out);
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
