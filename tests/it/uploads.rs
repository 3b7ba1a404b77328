//! Recordings on their way in: what is taken, what is refused and how, and
//! what is left on disk.

use std::io::Write;
use std::net::TcpStream;

use reqwest::Method;
use serde_json::Value;

use crate::client::{assert_error, file, read, typed};
use crate::fixtures::{bytes, ffmpeg, scripted_call};
use crate::server::{Server, Setup, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_does_not_spoil_the_others() {
    let server = Server::start(&Setup {
        max_upload_mb: 1,
        ..Setup::scripted()
    })
    .await;
    let mute = ffmpeg(
        "mute.mp4",
        "-f lavfi -i testsrc=size=64x64:rate=5:duration=1 -c:v libx264 -pix_fmt yuv420p",
    );
    let wma = ffmpeg(
        "call.wma",
        "-ss 1 -t 3 -i {call} -map_metadata -1 -c:a wmav2",
    );
    let files = vec![
        file("first.wav", scripted_call(1)),
        file("notes.txt", "Не запись".repeat(500).into_bytes()),
        file("empty.mp3", Vec::new()),
        file("mute.mp4", bytes(&mute)),
        file("call.wma", bytes(&wma)),
        file("huge.wav", vec![0; (1 << 20) + 1]),
        file("again.wav", scripted_call(1)),
        file("last.wav", scripted_call(2)),
    ];
    let (status, body) = server.upload(files, &[]).await;
    assert_eq!(status, 202, "{body}");
    let files = body["files"].as_array().expect("files");
    let codes: Vec<&str> = files
        .iter()
        .map(|file| file["error"]["code"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        codes,
        [
            "-",
            "unsupported_type",
            "empty_file",
            "no_audio_track",
            "unsupported_codec",
            "file_too_large",
            "-",
            "-"
        ]
    );
    for file in files {
        let accepted = file["error"] == Value::Null;
        assert_eq!(file["id"].is_string(), accepted, "{file}");
        assert_eq!(file["status"].is_string(), accepted, "{file}");
    }
    assert_eq!(files[6]["duplicate"], true);
    assert_eq!(files[6]["id"], files[0]["id"]);
    for index in [0, 7] {
        assert_eq!(files[index]["duplicate"], false);
        server
            .completed(files[index]["id"].as_str().expect("an id"))
            .await;
    }
    assert_eq!(server.results(&[]).await["total"], 2);
    assert_eq!(
        server.files("audio").len(),
        2,
        "refused files are gone from disk"
    );
    assert_eq!(server.files("incoming").len(), 0);
    assert_eq!(
        server.files("work").len(),
        0,
        "samples are removed in the end"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_one_call_whatever_their_name() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("morning.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let copy = vec![file("copy of morning.mp3", scripted_call(1))];
    let (status, body) = server.upload(copy, &[("operator_name", "Другой")]).await;
    assert_eq!(status, 202);
    let again = &body["files"][0];
    assert_eq!(
        (&again["id"], &again["duplicate"], &again["status"]),
        (&id.clone().into(), &true.into(), &"completed".into())
    );
    assert_eq!(server.results(&[]).await["total"], 1);
    let call = &server.result(&id).await["call"];
    assert_eq!(call["filename"], "morning.wav");
    // Once deleted it is new again.
    let (status, _) = server
        .send(Method::DELETE, &format!("/results/{id}"), None)
        .await;
    assert_eq!(status, 204);
    let new = server.accepted("morning.wav", scripted_call(1), &[]).await;
    assert_ne!(new, id);
    server.completed(&new).await;
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_is_found_from_the_content() {
    let server = Server::start(&Setup::scripted()).await;
    let mp3 = bytes(&ffmpeg("short.mp3", "-t 3 -i {call} -c:a libmp3lame"));
    let video = bytes(&ffmpeg(
        "short.mp4",
        "-f lavfi -i testsrc=size=64x64:rate=5:duration=3 -ss 1 -t 3 -i {call} -c:v libx264 -pix_fmt yuv420p -c:a aac -shortest",
    ));
    let cases = [
        (
            typed("call.pdf", "application/pdf", mp3),
            "audio",
            "audio/mpeg",
        ),
        (
            typed("noextension", "text/plain", scripted_call(1)),
            "audio",
            "audio/wav",
        ),
        (typed("call.mp3", "audio/mpeg", video), "video", "video/mp4"),
    ];
    for (upload, media, content_type) in cases {
        let (_, body) = server.upload(vec![upload], &[]).await;
        let id = body["files"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{body}"));
        let result = server.completed(id).await;
        assert_eq!(result["call"]["media"], media);
        assert_eq!(result["recording"]["content_type"], content_type);
        let audio = server
            .request(Method::GET, &format!("/audio/{id}"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(audio.headers()["content-type"], content_type);
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn details_and_earlier_names() {
    // Recordings are larger than other bodies may be.
    let setup = Setup {
        sections: "[http]\nmax_body_mb = 1\n".to_owned(),
        ..Setup::scripted()
    };
    let server = Server::start(&setup).await;
    let large = vec![b'x'; 3 << 20];
    for (number, path) in ["/upload/audio", "/upload/video"].into_iter().enumerate() {
        let part =
            reqwest::multipart::Part::bytes(scripted_call(number as u32)).file_name("old.wav");
        let form = reqwest::multipart::Form::new()
            .part("file", part)
            .part(
                "file",
                reqwest::multipart::Part::bytes(large.clone()).file_name("large.txt"),
            )
            .text("operator_name", "  Ольга   Петрова ")
            .text("language", "ru")
            .text("a_field_of_tomorrow", "x");
        let request = server.request(Method::POST, path).multipart(form);
        let (status, body) = read(request.send().await.expect("an answer")).await;
        assert_eq!(status, 202, "{path}: {body}");
        let id = body["files"][0]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{path}: {body}"));
        let status = server.get(&format!("/upload/status/{id}")).await;
        assert_eq!(status["id"], id);
        let call = server.completed(id).await["call"].clone();
        assert_eq!(call["operator"], "Ольга Петрова");
        assert_eq!(call["language"], "ru");
    }
    let (_, body) = server
        .upload(
            vec![file("x.wav", scripted_call(5))],
            &[("language", "russian")],
        )
        .await;
    assert_eq!(body["files"][0]["error"]["code"], "bad_details", "{body}");
    // Nothing could recognize it: said now, not after three attempts.
    let (_, body) = server
        .upload(vec![file("x.wav", scripted_call(5))], &[("language", "zz")])
        .await;
    assert_eq!(body["files"][0]["error"]["code"], "bad_details", "{body}");
    let long = "я".repeat(121);
    let (_, body) = server
        .upload(
            vec![file("x.wav", scripted_call(5))],
            &[("operator_name", &long)],
        )
        .await;
    assert_eq!(body["files"][0]["error"]["code"], "bad_details", "{body}");
    assert_eq!(server.results(&[]).await["total"], 2);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_that_are_none() {
    let server = Server::start(&Setup::scripted()).await;
    let answer = server
        .upload(Vec::new(), &[("operator_name", "Ольга")])
        .await;
    assert_error("a form without a file", &answer, 400, "no_files");
    let json = server
        .request(Method::POST, "/upload")
        .json(&serde_json::json!({"files": []}));
    let answer = read(json.send().await.expect("an answer")).await;
    assert_error(
        "JSON instead of a form",
        &answer,
        415,
        "unsupported_media_type",
    );
    let broken = server
        .request(Method::POST, "/upload")
        .header("content-type", "multipart/form-data; boundary=x")
        .body("--x\r\nthis is no form");
    let answer = read(broken.send().await.expect("an answer")).await;
    assert_error("a broken form", &answer, 400, "broken_form");
    let nothing = server
        .request(Method::POST, "/upload")
        .send()
        .await
        .expect("an answer");
    let answer = read(nothing).await;
    assert!(
        (400..500).contains(&answer.0) && answer.1["code"].is_string(),
        "{answer:?}"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_leaves_nothing_behind() {
    let server = Server::start(&Setup::scripted()).await;
    let address = server.base.trim_start_matches("http://").to_owned();
    let token = server.token.clone().expect("a token");
    let mut stream = TcpStream::connect(&address).expect("connected");
    let head = format!(
        "POST /api/v1/upload HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000000\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.wav\"\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(&vec![1; 3 << 20]).expect("sent");
    eventually("the upload arrives on disk", 5, || {
        !server.files("incoming").is_empty()
    })
    .await;
    drop(stream);
    eventually("the half file is removed", 5, || {
        server.files("incoming").is_empty()
    })
    .await;
    assert_eq!(server.results(&[]).await["total"], 0);
    let _ = server.stop().await;
}
