//! One call scored several times, from the command line.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::fixtures::{clip, model};
use crate::process::{output, program, text};

fn stability(dir: &Path, config: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = program(dir);
    command
        .env("CALL_ANALYTICS_MODEL", model())
        .env("CALL_ANALYTICS_CONFIG", config)
        .arg("score-stability")
        .args(arguments);
    output(&mut command, None)
}

fn reported(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", text(output));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

/// A transcript as the page downloads it.
fn transcript(dir: &Path) -> std::path::PathBuf {
    let words = |start: u64, said: &str| -> Vec<Value> {
        let at = |index: usize| start + 400 * index as u64;
        said.split(' ')
            .enumerate()
            .map(|(index, word)| json!({"start_ms": at(index), "end_ms": at(index) + 300, "text": word, "confidence": 1.0}))
            .collect()
    };
    let turn = |speaker: &str, start: u64, said: &str| json!({"speaker": speaker, "words": words(start, said)});
    let file = json!({"filename": "a.mp3", "language": "ru", "model": "m", "version": 0, "turns": [
        turn("operator", 0, "Здравствуйте, компания Ромашка, меня зовут Ольга."),
        turn("client", 4_000, "Добрый день, мой телефон 8 916 123-45-67, где мой заказ?"),
        turn("operator", 9_000, "Сейчас посмотрю. Спасибо за звонок, до свидания!"),
    ]});
    let path = dir.join("call.json");
    std::fs::write(&path, file.to_string()).expect("written");
    path
}

#[test]
fn the_rules_give_the_same_every_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let call = clip(11);
    let path = call.to_str().expect("UTF-8");
    let null = Path::new("/dev/null");
    let told = reported(&stability(
        dir.path(),
        null,
        &[path, "--runs", "4", "--json"],
    ));
    assert_eq!(told["engine"], "rules");
    assert_eq!(told["runs"].as_array().map(Vec::len), Some(4));
    assert!(told["overall"]["min"].is_number(), "{told}");
    assert_eq!(
        (&told["overall"]["spread"], &told["overall"]["deviation"]),
        (&json!(0.0), &json!(0.0))
    );
    assert_eq!(told["unsteady"], json!([]));
    assert_eq!(
        (&told["sent"]["host"], &told["sent"]["characters"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(told["criteria"].as_array().map(Vec::len), Some(3));

    // The same from the transcript of `analyze`: nothing is recognized again.
    let mut analyze = program(dir.path());
    analyze
        .env("CALL_ANALYTICS_MODEL", model())
        .args(["analyze", "--json", path]);
    let analyzed = output(&mut analyze, None);
    assert!(analyzed.status.success(), "{}", text(&analyzed));
    let json = dir.path().join("analyzed.json");
    std::fs::write(&json, &analyzed.stdout).expect("written");
    let mut command = program(dir.path());
    command
        .args(["score-stability", json.to_str().expect("UTF-8")])
        .args(["--runs", "2", "--json"]);
    let again = reported(&output(&mut command, None));
    assert_eq!(again["overall"]["spread"], 0.0);
    let verdicts = again["items"].as_u64();
    assert_eq!(verdicts, told["items"].as_u64());
    let made: Vec<_> = std::fs::read_dir(dir.path())
        .expect("a directory")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(made, ["analyzed.json"], "no store is opened");

    let plain = stability(
        dir.path(),
        null,
        &[json.to_str().expect("UTF-8"), "--runs", "1"],
    );
    let said = text(&plain);
    for words in [
        "run   1",
        "Стандарты",
        "verdicts that changed: 0 of",
        "nothing left this machine",
    ] {
        assert!(said.contains(words), "{words} is not in:\n{said}");
    }
}

#[test]
fn what_cannot_be_scored_several_times() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = transcript(dir.path());
    let path = path.to_str().expect("UTF-8");
    let broken = dir.path().join("broken.json");
    std::fs::write(&broken, "{\"turns\": 1}").expect("written");
    let silent = dir.path().join("silent.json");
    std::fs::write(&silent, r#"{"language":"ru","model":"m","turns":[]}"#).expect("written");
    let broken = broken.to_str().expect("UTF-8");
    let silent = silent.to_str().expect("UTF-8");
    let null = Path::new("/dev/null");
    for (arguments, words) in [
        (&[path, "--runs", "0"][..], "1..=100"),
        (&[path, "--runs", "101"], "1..=100"),
        (&[path, "--engine", "model"], "section [llm]"),
        (&[broken], "not a transcript"),
        (&[silent], "nobody speaks"),
        (&["/nowhere.json"], "/nowhere.json"),
        (&[path, "--scorecard", "/nowhere.toml"], "/nowhere.toml"),
        (&[path, "--scorecard", path], "the scorecard"),
    ] {
        let refused = stability(dir.path(), null, arguments);
        assert!(
            !refused.status.success(),
            "{arguments:?}: {}",
            text(&refused)
        );
        assert!(
            text(&refused).contains(words),
            "{arguments:?}: {}",
            text(&refused)
        );
        assert!(!text(&refused).contains("panicked"), "{}", text(&refused));
    }
}

/// What a double of a language model's server was sent: the messages of each request.
type Sent = Arc<Mutex<Vec<Value>>>;

/// Serves as long as the test runs. Every second scoring it proves the greeting, in the others
/// it invents a quote for it; all else was not said.
fn wavering_model() -> (String, Sent) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let sent = Sent::default();
    let kept = Arc::clone(&sent);
    std::thread::spawn(move || {
        let mut scorings = 0;
        for stream in listener.incoming() {
            let mut stream = stream.expect("a request");
            let asked = asked(&mut stream);
            let messages = asked["messages"].as_array().expect("messages").clone();
            // What asks again repeats what was said before.
            scorings += usize::from(messages.len() <= 2);
            kept.lock().expect("sent").push(asked["messages"].clone());
            let schema = &asked["response_format"]["json_schema"]["schema"];
            let keys = &schema["properties"]["items"]["items"]["properties"]["key"]["enum"];
            let items: Vec<Value> = keys
                .as_array()
                .expect("keys")
                .iter()
                .map(|key| match key.as_str() {
                    Some("greeting") => {
                        let proved = scorings % 2 == 1;
                        let quote = if proved { "Здравствуйте, компания Ромашка" } else { "Рады приветствовать дорогого гостя" };
                        json!({"key": key, "said": "yes", "quotes": [{"turn": 0, "text": quote}], "comment": ""})
                    }
                    _ => json!({"key": key, "said": "no", "quotes": [], "comment": ""}),
                })
                .collect();
            let content = json!({ "items": items }).to_string();
            let reply = json!({
                "choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10},
            })
            .to_string();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{reply}",
                reply.len()
            )
            .expect("answered");
        }
    });
    (base, sent)
}

/// The body of a request.
fn asked(stream: &mut TcpStream) -> Value {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).expect("bytes");
        assert!(read > 0, "the request is whole");
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a length").trim().parse().expect("a number");
        if bytes.len() >= end + 4 + length {
            return serde_json::from_slice(&bytes[end + 4..]).expect("JSON");
        }
    }
}

#[test]
fn a_model_that_wavers_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let (base, sent) = wavering_model();
    let config = dir.path().join("config.toml");
    let settings = |more: &str| {
        let text =
            format!("[llm]\nenabled = true\nbase_url = \"{base}\"\nmodel = \"small\"\n{more}");
        std::fs::write(&config, text).expect("written");
    };
    settings("");
    let call = transcript(dir.path());
    let path = call.to_str().expect("UTF-8");
    // The model is the default where it is turned on.
    let told = reported(&stability(
        dir.path(),
        &config,
        &[path, "--runs", "4", "--json"],
    ));
    assert_eq!(told["engine"], "model");
    let [greeting] = &told["unsteady"].as_array().expect("items")[..] else {
        panic!("{told}")
    };
    assert_eq!(greeting["key"], "greeting");
    assert_eq!(greeting["verdicts"], json!({"met": 2, "unconfirmed": 2}));
    assert_eq!(greeting["differing_runs"], 2);
    assert!(told["overall"]["spread"].as_f64() > Some(0.0), "{told}");
    // Proved at once, or invented and asked for once more.
    let quotes: Vec<(u64, u64)> = told["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| {
            (
                run["quotes"].as_u64().expect("n"),
                run["confirmed"].as_u64().expect("n"),
            )
        })
        .collect();
    assert_eq!(quotes, [(1, 1), (2, 0), (1, 1), (2, 0)]);
    assert_eq!(told["verified_percent"], 33.3);
    // What left the machine is told to the character, and the phone is not in it.
    let messages = sent.lock().expect("sent").clone();
    let contents: Vec<&str> = messages
        .iter()
        .flat_map(|request| request.as_array().expect("messages"))
        .map(|message| message["content"].as_str().expect("text"))
        .collect();
    let characters: usize = contents.iter().map(|text| text.chars().count()).sum();
    assert_eq!(told["sent"]["characters"], characters);
    assert_eq!(told["sent"]["requests"], messages.len());
    assert_eq!(told["sent"]["hidden"], 1);
    assert!(contents.iter().all(|text| !text.contains("123-45-67")));
    assert!(contents.iter().any(|text| text.contains("[PHONE_1]")));
    let tokens: u64 = told["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["input_tokens"].as_u64().expect("n"))
        .sum();
    assert_eq!(tokens, 100 * messages.len() as u64);

    let rules = stability(
        dir.path(),
        &config,
        &[path, "--engine", "rules", "--runs", "2"],
    );
    assert!(
        text(&rules).contains("judged by the rules"),
        "{}",
        text(&rules)
    );
    assert_eq!(
        sent.lock().expect("sent").len(),
        messages.len(),
        "nothing more was sent"
    );
    // What may be spent is spent with the first request: the first scoring needs two.
    settings("price_in = 1000.0\nprice_out = 1000.0\ndaily_budget = 0.01\n");
    let spent = stability(dir.path(), &config, &[path, "--runs", "3"]);
    assert!(!spent.status.success());
    let said = text(&spent);
    assert!(
        said.contains("llm_budget") && said.contains("in 1 request(s)"),
        "{said}"
    );
    assert!(
        !said.contains("run   2"),
        "the next would fail as well: {said}"
    );
}
