//! Real clients drop, fetch and tidy up files: OpenSSH, lftp, rclone, curl, paramiko.

use std::path::Path;
use std::process::Command;

use crate::fixtures::{noise_bytes, repository};
use crate::sftp_place::{PASSWORD, Place, USER, output, run, succeeded};

/// A tree with names that are hard on clients.
fn tree(place: &Place) -> std::path::PathBuf {
    let tree = place.client("tree");
    let deep = tree.join("под/папка с пробелами");
    std::fs::create_dir_all(&deep).expect("made");
    std::fs::create_dir(tree.join("empty")).expect("made");
    for (name, length) in [
        ("a.txt", 3),
        ("empty.wav", 0),
        ("под/79161234567_Ольга Петрова.mp3", 300_000),
        ("под/папка с пробелами/quote\"and'apostrophe.mp3", 70_000),
        ("big.mp3", 5_000_000),
    ] {
        std::fs::write(tree.join(name), noise_bytes(length, length as u64 + 1)).expect("written");
    }
    tree
}

fn same(left: &Path, right: &Path) {
    let said = output(Command::new("diff").arg("-r").arg(left).arg(right));
    succeeded(&said);
}

#[test]
fn openssh_sftp_does_everything() {
    let place = Place::new();
    std::fs::write(place.client("a"), noise_bytes(3_000_000, 1)).expect("written");
    std::fs::write(place.client("half"), noise_bytes(1_000_000, 1)).expect("written");
    let old = std::fs::File::options()
        .write(true)
        .open(place.client("a"))
        .expect("file");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_500_000_000);
    old.set_modified(long_ago).expect("a time");
    let said = succeeded(&place.sftp(
        "put -p a\nput half part\nls -l\nlls\nrename part b\nreput a b\nget b back\nget a half-back\n\
         mkdir d\nmkdir d/e\nrename a d/e/a\nls -la d/e\ndf -h\nchmod 600 d/e/a\ncd d\npwd\nget -p e/a kept\n\
         rm e/a\nrmdir e\n-ls nothing\nput half \"звонок 1.mp3\"\nls\n",
    ));
    for words in [
        "3000000 Jul 14  2017 a",
        "1000000",
        "%Capacity",
        "Remote working directory: /d",
        "звонок 1.mp3",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    for (left, right) in [("a", "back"), ("a", "half-back"), ("a", "kept")] {
        same(&place.client(left), &place.client(right));
    }
    let kept = std::fs::metadata(place.client("kept")).expect("file");
    assert_eq!(kept.modified().expect("a time"), long_ago);
    // A download that was broken off goes on.
    std::fs::write(place.client("again"), noise_bytes(1_000_000, 1)).expect("written");
    succeeded(&place.sftp("reget b again\n"));
    same(&place.client("a"), &place.client("again"));
    // The same name again replaces; links and other owners are refused.
    succeeded(&place.sftp("put half b\nget b back\n"));
    same(&place.client("half"), &place.client("back"));
    for refused in [
        "ln -s b c",
        "ln b c",
        "chown 12345 b",
        "rm nothing",
        "rmdir d",
        "mkdir d",
    ] {
        let output = place.sftp(&format!("{refused}\n"));
        assert!(!output.status.success(), "{refused}");
    }
    let told = place.told.take();
    for event in [
        "opened a",
        "closed a Complete",
        "renamed part b",
        "closed b Complete",
        "renamed a d/e/a",
        "removed d/e/a",
        "removed d/e",
        "closed d/звонок 1.mp3 Complete",
    ] {
        assert!(told.iter().any(|told| told == event), "{event}: {told:?}");
    }
}

#[test]
fn large_files_come_back_whole_with_every_cipher_and_new_keys_on_the_way() {
    let place = Place::new();
    std::fs::write(place.client("a"), noise_bytes(64 << 20, 5)).expect("written");
    for options in [
        &["-o", "RekeyLimit=8M"][..],
        &["-c", "aes128-ctr"],
        &["-c", "aes256-gcm@openssh.com"],
        &[
            "-B",
            "1000",
            "-R",
            "200",
            "-o",
            "HostKeyAlgorithms=rsa-sha2-256",
        ],
    ] {
        let batch = if options.contains(&"1000") {
            std::fs::write(place.client("s"), noise_bytes(3_333_333, 6)).expect("written");
            "put s\nget s back\nrm s\n"
        } else {
            "put a\nget a back\nrm a\n"
        };
        succeeded(&place.sftp_with(batch, options));
        let sent = if options.contains(&"1000") { "s" } else { "a" };
        same(&place.client(sent), &place.client("back"));
    }
}

#[test]
fn openssh_scp_copies_a_tree_both_ways() {
    let place = Place::new();
    let tree = tree(&place);
    let scp = |from: &str, to: &str| {
        let mut command = place.program("scp");
        command
            .args(place.options())
            .args(["-P", &place.port().to_string(), "-p", "-r", from, to]);
        run(&mut command);
    };
    scp("tree", &format!("{USER}@127.0.0.1:/there"));
    same(&tree, &place.folder("there"));
    scp(&format!("{USER}@127.0.0.1:/there"), "back");
    same(&tree, &place.client("back"));
}

#[test]
fn lftp_mirrors_both_ways() {
    let place = Place::new();
    let tree = tree(&place);
    let connect = format!("ssh -a -x {}", place.options().join(" "));
    let script = format!(
        "set net:max-retries 1; set cmd:fail-exit yes; set sftp:connect-program '{connect}'; \
         open sftp://{USER}:@127.0.0.1:{}; mirror -R tree there; mirror -R --delete tree there; mirror there back; \
         cls -l there; put -c tree/big.mp3 -o again; get -c again -o again-back; mv again moved; rm moved",
        place.port()
    );
    run(place.program("lftp").args(["--norc", "-c", &script]));
    same(&tree, &place.folder("there"));
    same(&tree, &place.client("back"));
    same(&tree.join("big.mp3"), &place.client("again-back"));
}

#[test]
fn rclone_copies_and_checks() {
    let place = Place::new();
    let tree = tree(&place);
    std::fs::remove_dir(tree.join("empty")).expect("removed");
    let remote = format!(
        ":sftp,host=127.0.0.1,port={},user={USER},key_file={}:there",
        place.port(),
        place.key().display()
    );
    let rclone = |arguments: &[&str]| {
        let mut command = place.program("rclone");
        command.env("RCLONE_CONFIG", "/dev/null").args(arguments);
        run(&mut command)
    };
    rclone(&["copy", "tree", &remote]);
    let said = rclone(&["check", "--download", "tree", &remote]);
    assert!(said.contains("0 differences found"), "{said}");
    // Nothing is copied again: sizes and times are kept.
    let said = rclone(&["copy", "-v", "tree", &remote]);
    assert!(said.contains("nothing to transfer"), "{said}");
    rclone(&["copy", &remote, "back"]);
    same(&tree, &place.client("back"));
    rclone(&["purge", &remote]);
    assert!(!place.folder("there").exists());
}

#[test]
fn curl_uploads_downloads_and_resumes() {
    let place = Place::new();
    let all = noise_bytes(2_000_000, 3);
    std::fs::write(place.client("a"), &all).expect("written");
    std::fs::write(place.client("part"), &all[..700_000]).expect("written");
    let curl = |arguments: &[&str], path: &str| {
        let mut command = place.program("curl");
        command
            .args(["-sS", "--insecure", "--user", &format!("{USER}:{PASSWORD}")])
            .args(arguments)
            .arg(format!("sftp://127.0.0.1:{}/{path}", place.port()));
        run(&mut command)
    };
    curl(&["-T", "a", "--ftp-create-dirs"], "d/e/a");
    same(&place.client("a"), &place.folder("d/e/a"));
    curl(&["-o", "back"], "d/e/a");
    same(&place.client("a"), &place.client("back"));
    curl(&["-C", "-", "-o", "part"], "d/e/a");
    same(&place.client("a"), &place.client("part"));
    std::fs::write(place.folder("half"), &all[..900_000]).expect("written");
    curl(&["-C", "900000", "-T", "a"], "half");
    same(&place.client("a"), &place.folder("half"));
    curl(&["-a", "-T", "a"], "half");
    assert_eq!(
        std::fs::metadata(place.folder("half")).expect("file").len(),
        4_000_000
    );
    assert!(curl(&[], "d/").contains(" e\n"));
    curl(&["-Q", "rename /half /whole", "-Q", "-rm /whole"], "");
}

#[test]
fn paramiko_does_everything() {
    let place = Place::new();
    let script = repository().join("tests/it/sftp_paramiko.py");
    let mut command = place.program("/usr/bin/python3");
    command
        .arg(script)
        .args([&place.port().to_string(), USER, PASSWORD])
        .arg(place.key());
    let said = run(&mut command);
    assert!(said.contains("all done"), "{said}");
    assert!(place.told.has("renamed renamed replaced"));
}
